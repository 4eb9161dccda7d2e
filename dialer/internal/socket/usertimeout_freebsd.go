package socket

import (
	"errors"
	"math"
	"os"
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
// and unacknowledged data by TCP_MAXUNACKTIME where the kernel knows it. Both
// count whole seconds; a fraction is rounded up.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	seconds := min(whole(silence, time.Second), math.MaxInt16)
	return Control(raw, func(fd uintptr) error {
		connect := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPINIT, seconds)
		unacked := unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, tcpMaxUnackTime, seconds)
		if errors.Is(unacked, unix.ENOPROTOOPT) {
			unacked = nil // older than release 14
		}
		return errors.Join(
			os.NewSyscallError("setsockopt TCP_KEEPINIT", connect),
			os.NewSyscallError("setsockopt TCP_MAXUNACKTIME", unacked),
		)
	})
}
