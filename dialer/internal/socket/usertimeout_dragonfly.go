package socket

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupportsUserTimeout: DragonFly can bound the handshake, not unacknowledged data.
const SupportsUserTimeout = false

// SetUserTimeout bounds the handshake by TCP_KEEPINIT, if set before connect. It
// counts milliseconds here, unlike on the other BSDs.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	return Control(raw, func(fd uintptr) error {
		err := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINIT, whole(silence, time.Millisecond))
		return os.NewSyscallError("setsockopt TCP_KEEPINIT", err)
	})
}
