package socket

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// SupportsUserTimeout: Windows has TCP_MAXRT, in whole seconds.
const SupportsUserTimeout = true

// SetUserTimeout sets TCP_MAXRT, which bounds retransmission and, set before
// connect, the SYN, unless it is tighter already. It counts whole seconds; a fraction is rounded up.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	return Control(raw, func(fd uintptr) error {
		err := atMost(whole(silence, time.Second),
			func() (int, error) {
				return windows.GetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, windows.TCP_MAXRT)
			},
			func(seconds int) error {
				return windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, windows.TCP_MAXRT, seconds)
			})
		return os.NewSyscallError("setsockopt TCP_MAXRT", err)
	})
}
