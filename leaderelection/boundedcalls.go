package leaderelection

import (
	"context"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// callsLock bounds how many calls to a lock have not returned: one that is deaf
// to its context (a credential plugin that hangs) goes on in the background, and
// when there are too many of them, no more are made until one has returned. Only
// writeNow and readNow are bounded; a candidate has a bound of its own.
type callsLock struct {
	rl.Versioned
	calls chan struct{}
}

// mostCalls bounds the calls to a lock that have not returned.
const mostCalls = 2 * mostUnderway

func newCallsLock(lock rl.Versioned) *callsLock {
	return &callsLock{lock, make(chan struct{}, mostCalls)}
}

// readNow reads, for someone who does not wait for it longer than for ctx.
func (l *callsLock) readNow(ctx context.Context) (rl.Snapshot, error) {
	if err := l.enter(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	defer l.leave()
	return l.Versioned.Read(ctx)
}

// writeNow writes, for someone who does not wait for it longer than for ctx.
func (l *callsLock) writeNow(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if err := l.enter(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	defer l.leave()
	return l.Versioned.Write(ctx, base, next)
}

func (l *callsLock) enter(ctx context.Context) error {
	select {
	case l.calls <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *callsLock) leave() { <-l.calls }

// takesTurns reports whether the lock makes one call after another.
func (l *callsLock) takesTurns() bool {
	_, plain := l.Versioned.(*plainLock)
	return plain
}
