package dialer

import (
	"context"
	"net/http"
	"reflect"
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
	u := requestTraceOf(ctx)
	if u == nil {
		return nil
	}
	before := u.dials.Add(1) - 1
	wait := pause(int(before))
	if wait == 0 || before <= u.rested.Load() {
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

// asksUnlocked reports whether a round tripper asks for connections, and tells so,
// without holding a lock that its other requests need. An http2.Transport of x/net
// holds one, and has pauses of its own.
func asksUnlocked(rt http.RoundTripper) bool {
	for link := range chain(rt) {
		if reflect.TypeOf(link).String() == "*http2.Transport" {
			return false
		}
	}
	return true
}

// rest puts off a request that has had a new connection and asks for another, whoever
// dials it: below a Transport that may be a transport of the user's own. The attempts
// of a call share their pauses. It returns when the pause after the last connection is
// over, or the request.
func (r *requestTrace) rest() {
	r.mu.Lock()
	had, last := int32(r.fresh), r.at
	r.mu.Unlock()
	if had == 0 || r.rested.Swap(had) >= had {
		return
	}
	wait := pause(int(r.repeats.Add(1))) - time.Since(last)
	if wait <= 0 || r.base != nil && !asksUnlocked(r.base) {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Done():
	}
}
