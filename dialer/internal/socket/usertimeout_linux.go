package socket

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupportsUserTimeout: Linux has TCP_USER_TIMEOUT, see tcp(7).
const SupportsUserTimeout = true

// SetUserTimeout sets TCP_USER_TIMEOUT, which is in milliseconds, unless it is
// tighter already. It bounds unacknowledged data, unanswered probes and, set
// before connect, the SYN.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	return Control(raw, func(fd uintptr) error {
		return bound(fd, "TCP_USER_TIMEOUT", unix.TCP_USER_TIMEOUT, whole(silence, time.Millisecond))
	})
}
