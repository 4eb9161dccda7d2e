//go:build linux || darwin || freebsd || netbsd || dragonfly

package socket

import (
	"os"

	"golang.org/x/sys/unix"
)

// bound sets an option of TCP that is a bound, unless it is tighter already.
func bound(fd uintptr, name string, option, to int) error {
	err := atMost(to,
		func() (int, error) { return unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option) },
		func(to int) error { return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, to) })
	return os.NewSyscallError("setsockopt "+name, err)
}
