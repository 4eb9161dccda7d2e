package socket

import (
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SupportsUserTimeout: macOS has TCP_RXT_CONNDROPTIME and TCP_CONNECTIONTIMEOUT,
// in whole seconds.
const SupportsUserTimeout = true

// SetUserTimeout bounds retransmission and, set before connect, the handshake,
// unless they are bounded more tightly already. Both options count whole
// seconds; a fraction is rounded up.
func SetUserTimeout(raw syscall.RawConn, silence time.Duration) error {
	seconds := whole(silence, time.Second)
	return Control(raw, func(fd uintptr) error {
		return errors.Join(
			bound(fd, "TCP_RXT_CONNDROPTIME", unix.TCP_RXT_CONNDROPTIME, seconds),
			bound(fd, "TCP_CONNECTIONTIMEOUT", unix.TCP_CONNECTIONTIMEOUT, seconds),
		)
	})
}
