package leaderelection

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/bounded"
	"github.com/holdfast-go/holdfast/internal/redirect"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// boundedLock is the lock of an elector. Nobody waits for a call to it beyond the
// end of the call's context, however deaf the lock is to that (a credential plugin
// that hangs): the call goes on in the background, and while too many do, no more
// are made. What the lock panics with is a *bounded.Panic.
type boundedLock struct {
	rl.Versioned
	clock timepiece
	// allowance pays for the redirects of its calls, which are paid for themselves.
	allowance *allowance
	timing    timing
	// calls are the reads and the writes. Watches are counted apart, so that those
	// that do not return keep no claim from being made.
	calls, watches bounded.Calls
}

func newBoundedLock(lock rl.Interface, clock timepiece, allowance *allowance, timing timing) *boundedLock {
	return &boundedLock{Versioned: versioned(lock, clock), clock: clock, allowance: allowance, timing: timing}
}

// paid returns the context of a call whose redirects are paid for.
func (l *boundedLock) paid(ctx context.Context) context.Context {
	return redirect.Paid(ctx, func() { l.allowance.spend(l.clock.now(), l.timing) })
}

// courtesy is how long a call whose context has ended is given to return by
// itself, since it knows best how far it came.
const courtesy = 10 * time.Millisecond

// Read implements Versioned.
func (l *boundedLock) Read(ctx context.Context) (rl.Snapshot, error) {
	return await(l.paid(ctx), l.clock, &l.calls, l.Versioned.Read)
}

// Write implements Versioned.
func (l *boundedLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	return await(l.paid(ctx), l.clock, &l.calls, func(ctx context.Context) (rl.Snapshot, error) { return l.Versioned.Write(ctx, base, next) })
}

// Watch implements Versioned.
func (l *boundedLock) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	_, err := await(l.paid(ctx), l.clock, &l.watches, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, l.Versioned.Watch(ctx, from, seen)
	})
	return err
}

// await makes a call, and waits for it no longer than for the end of ctx and the
// courtesy.
func await[T any](ctx context.Context, clock timepiece, calls *bounded.Calls, call func(context.Context) (T, error)) (T, error) {
	until, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		clock.sleep(until, courtesy)
		cancel(context.Cause(ctx))
	})()
	value, err := bounded.Do(ctx, until, calls, call)
	return value, explain(ctx, err)
}

// takesTurns reports whether the lock makes one call after another.
func (l *boundedLock) takesTurns() bool {
	_, plain := l.Versioned.(*plainLock)
	return plain
}
