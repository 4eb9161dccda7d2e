package socket

import (
	"math"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupportsUserTimeout: NetBSD can bound the handshake, not unacknowledged data.
const SupportsUserTimeout = false

// SetUserTimeout bounds the handshake by TCP_KEEPINIT, if set before connect.
// It counts whole seconds; a fraction is rounded up.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	return Control(raw, func(fd uintptr) error {
		seconds := min(whole(silence, time.Second), math.MaxInt16)
		return os.NewSyscallError("setsockopt TCP_KEEPINIT", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINIT, seconds))
	})
}
