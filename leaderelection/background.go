package leaderelection

import (
	"context"
	"fmt"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// background makes the calls to a lock that a candidate waits for, so that it
// waits for none beyond the end of the call's context, however deaf the lock is
// to that. It is safe for concurrent use.
type background struct {
	clock timepiece
	// room holds one token for each call that has not returned.
	room chan struct{}
}

// mostUnreturned bounds the calls that have not returned: a lock that lets calls
// hang is not given ever more of them.
const mostUnreturned = 8

// courtesy is how long a call whose context has ended is given to return by
// itself, since it knows best how far it came.
const courtesy = 10 * time.Millisecond

func newBackground(clock timepiece) *background {
	return &background{clock: clock, room: make(chan struct{}, mostUnreturned)}
}

// run makes a call and returns its answer, or an error soon after ctx has ended.
func (b *background) run(ctx context.Context, call func(context.Context) (rl.Snapshot, error)) (rl.Snapshot, error) {
	select {
	case b.room <- struct{}{}:
	case <-ctx.Done():
		return rl.Snapshot{}, fmt.Errorf("%w: %d earlier calls to the lock have not returned, though their contexts have ended", context.Cause(ctx), mostUnreturned)
	}
	type answer struct {
		state rl.Snapshot
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-b.room }()
		state, err := call(ctx)
		answers <- answer{state, explain(ctx, err)}
	}()
	select {
	case a := <-answers:
		return a.state, a.err
	case <-ctx.Done():
	}
	patience := b.clock.NewTimer(courtesy)
	defer patience.Stop()
	select {
	case a := <-answers:
		return a.state, a.err
	case <-patience.C():
		return rl.Snapshot{}, fmt.Errorf("%w: the lock has not returned from the call, though its context has ended", context.Cause(ctx))
	}
}

// pacer says when what has failed may be tried again. The zero value has seen no
// failure.
type pacer struct {
	failures int
	failed   instant
	wait     time.Duration
}

// fail notes another failure, after which to wait.
func (p *pacer) fail(now instant, t timing, random float64, err error) {
	p.failures++
	p.failed, p.wait = now, t.pause(p.failures, random, retryAfter(err))
}

// due returns how long to wait until the next try. It is not positive when one
// may be made.
func (p *pacer) due(now instant) time.Duration {
	if p.failures == 0 {
		return 0
	}
	return p.wait - now.steady(p.failed)
}
