package dialer

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// SupportsUserTimeout reports whether this operating system's sockets can be
// told how long a peer may be silent. Windows has TCP_MAXRT, in whole seconds.
const SupportsUserTimeout = true

// setUserTimeout sets TCP_MAXRT, which bounds retransmission and, set before
// connect, the SYN. It counts whole seconds; a fraction is rounded up.
func setUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	return control(raw, func(fd uintptr) error {
		err := windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, windows.TCP_MAXRT, whole(silence, time.Second))
		return os.NewSyscallError("setsockopt TCP_MAXRT", err)
	})
}
