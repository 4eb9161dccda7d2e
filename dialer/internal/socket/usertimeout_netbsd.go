package socket

import (
	"math"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupportsUserTimeout: NetBSD can bound the handshake, not unacknowledged data.
const SupportsUserTimeout = false

// SetUserTimeout bounds the handshake by TCP_KEEPINIT, if set before connect,
// unless that is tighter already.
// It counts whole seconds; a fraction is rounded up.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	return Control(raw, func(fd uintptr) error {
		seconds := min(whole(silence, time.Second), math.MaxInt16)
		return bound(fd, "TCP_KEEPINIT", unix.TCP_KEEPINIT, seconds)
	})
}
