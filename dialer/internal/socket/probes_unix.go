//go:build linux || freebsd || netbsd || dragonfly || darwin

package socket

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// probes returns the probes that a socket sends, and whether it sends any.
func probes(raw syscall.RawConn) (config net.KeepAliveConfig, on bool) {
	err := Control(raw, func(fd uintptr) error {
		enabled, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		if err != nil || enabled == 0 {
			return err
		}
		on = true
		get := func(option int) int {
			value, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option)
			if err != nil {
				return 0 // unknown
			}
			return value
		}
		config.Idle = time.Duration(get(keepIdle)) * keepUnit
		config.Interval = time.Duration(get(unix.TCP_KEEPINTVL)) * keepUnit
		config.Count = get(unix.TCP_KEEPCNT)
		return nil
	})
	return config, on && err == nil
}
