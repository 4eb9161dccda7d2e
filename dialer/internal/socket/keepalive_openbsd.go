package socket

import (
	"net"
	"time"
)

// SetKeepAlive makes a connected socket probe, at the host's pace: OpenBSD has
// no idle time, interval and count of a socket's own (sysctl net.inet.tcp).
func SetKeepAlive(conn *net.TCPConn, _ time.Duration) error { return conn.SetKeepAlive(true) }
