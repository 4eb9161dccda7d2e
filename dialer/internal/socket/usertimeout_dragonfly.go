package socket

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupportsUserTimeout: DragonFly can bound the handshake, not unacknowledged data.
const SupportsUserTimeout = false

// SetUserTimeout bounds the handshake by TCP_KEEPINIT, if set before connect,
// unless that is tighter already. It
// counts milliseconds here, unlike on the other BSDs.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	return Control(raw, func(fd uintptr) error {
		return bound(fd, "TCP_KEEPINIT", unix.TCP_KEEPINIT, whole(silence, time.Millisecond))
	})
}
