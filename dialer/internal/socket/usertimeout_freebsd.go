package socket

import (
	"errors"
	"math"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupportsUserTimeout: FreeBSD has TCP_MAXUNACKTIME since release 14, which a
// program cannot know when it is compiled. The promise is not built on it.
const SupportsUserTimeout = false

// tcpMaxUnackTime is TCP_MAXUNACKTIME of netinet/tcp.h, in seconds. The unix
// package has it for some architectures only; it is the same on all of them.
const tcpMaxUnackTime = 68

// SetUserTimeout bounds the handshake by TCP_KEEPINIT, if set before connect,
// and unacknowledged data by TCP_MAXUNACKTIME where the kernel knows it,
// unless they are tighter already. Both count whole seconds; a fraction is rounded up.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	seconds := min(whole(silence, time.Second), math.MaxInt16)
	return Control(raw, func(fd uintptr) error {
		connect := bound(fd, "TCP_KEEPINIT", unix.TCP_KEEPINIT, seconds)
		unacked := bound(fd, "TCP_MAXUNACKTIME", tcpMaxUnackTime, seconds)
		if errors.Is(unacked, unix.ENOPROTOOPT) {
			unacked = nil // older than release 14
		}
		return errors.Join(connect, unacked)
	})
}
