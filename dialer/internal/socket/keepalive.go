//go:build !openbsd

package socket

import (
	"net"
	"time"
)

// SetKeepAlive makes a connected socket probe as KeepAlive says. Probes that it
// sends already and that would find a silent peer sooner stay, where the system
// tells about them.
func SetKeepAlive(conn *net.TCPConn, silence time.Duration) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	config := KeepAlive(silence)
	if probes, on := probes(raw); on {
		config = tighter(config, probes)
	}
	return conn.SetKeepAliveConfig(config)
}
