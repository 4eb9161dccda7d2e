package front

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

const (
	deliveryBound = time.Second
	deliveryPoll  = time.Millisecond
)

// delivered returns when the client's kernel has acknowledged all that was
// written on the request's connection, or a second has passed.
func delivered(ctx context.Context) {
	s, ok := socketOf(ctx)
	if !ok {
		return
	}
	raw, err := s.tcp.SyscallConn()
	if err != nil {
		return
	}
	for begin := time.Now(); time.Since(begin) < deliveryBound; {
		left := 0
		if raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }) != nil || err != nil || left == 0 {
			return
		}
		if !sleep(ctx, deliveryPoll) {
			return
		}
	}
}
