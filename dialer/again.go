package dialer

import (
	"context"
	"time"
)

const (
	// freeDials is how many connections one request may have dialled for it without a
	// pause: its own, and another where the server has just closed that.
	freeDials = 2
	// firstPause is the pause before the next one. It doubles with each up to longestPause.
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// pause returns how long a dial is put off for a request that has had so many dialled
// for it already.
func pause(before int) time.Duration {
	if before < freeDials {
		return 0
	}
	return min(firstPause<<min(before-freeDials, 10), longestPause)
}

// again puts off the dial of a request that has had others. net/http dials for it again,
// at once and without end, while a server sends it away (GOAWAY) from each connection
// that it gets.
func again(ctx context.Context) error {
	u := useOf(ctx)
	if u == nil {
		return nil
	}
	wait := pause(int(u.dials.Add(1)) - 1)
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx, nil)
	case <-u.Done(): // nobody waits for it any more
		return ended(u, nil)
	}
}
