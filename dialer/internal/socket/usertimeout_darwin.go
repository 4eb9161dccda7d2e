package socket

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupportsUserTimeout: macOS has TCP_RXT_CONNDROPTIME and TCP_CONNECTIONTIMEOUT,
// in whole seconds.
const SupportsUserTimeout = true

// SetUserTimeout bounds retransmission and, set before connect, the handshake.
// Both options count whole seconds; a fraction is rounded up.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	seconds := whole(silence, time.Second)
	return Control(raw, func(fd uintptr) error {
		return errors.Join(
			os.NewSyscallError("setsockopt TCP_RXT_CONNDROPTIME", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RXT_CONNDROPTIME, seconds)),
			os.NewSyscallError("setsockopt TCP_CONNECTIONTIMEOUT", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_CONNECTIONTIMEOUT, seconds)),
		)
	})
}
