//go:build !openbsd

package socket

import (
	"net"
	"time"
)

// SetKeepAlive makes a connected socket probe as KeepAlive says.
func SetKeepAlive(conn *net.TCPConn, silence time.Duration) error {
	return conn.SetKeepAliveConfig(KeepAlive(silence))
}
