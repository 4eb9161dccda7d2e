package resourcelock

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"
)

const (
	// mostDeaf is how many calls of one lock may go on after they were given up.
	// While there are so many, further calls fail at once: what a client that
	// heeds no context keeps does not grow with the number of failures.
	mostDeaf = 4
	// lastWord is how long a call whose time is over is waited for, so that it can
	// say itself what it has met.
	lastWord = 50 * time.Millisecond
)

// ErrDeaf is wrapped by the error of a call that has not returned although its
// time was over, and of one that was not made because several such calls still
// go on. It is not the network that does this, but what heeds no context: an exec
// plugin that hangs, or a round tripper of the user's.
var ErrDeaf = errors.New("the client does not heed the end of its context")

// overtime is the cause of the end of a call's context when the lock's own bound
// has passed.
type overtime struct{ bound time.Duration }

func (o overtime) Error() string { return fmt.Sprintf("the lock's bound of %v has passed", o.bound) }

// Is makes it a context.DeadlineExceeded.
func (overtime) Is(target error) bool { return target == context.DeadlineExceeded }

// result is what a call has come to.
type result[T any] struct {
	value    T
	err      error
	returned bool // and did not panic
	panic    any
}

func (r result[T]) get() (T, error) {
	if !r.returned {
		panic(r.panic)
	}
	return r.value, r.err
}

// The states of a call: it ends in one of the last two.
const (
	underway int32 = iota
	finished
	abandoned
)

// within makes a call to the API and returns when it has, when bound has passed
// since, or when ctx ends, whichever is first. A bound that is not positive is
// none. It is the one bound of a call for a caller that sets none, such as
// client-go's elector: what waits, is sent again or is redirected in the layers
// below is within it. What the call panics with, within panics with.
func within[T any](ctx context.Context, bound time.Duration, deaf *atomic.Int32, call func(context.Context) (T, error)) (T, error) {
	var none T
	if n := deaf.Load(); n >= mostDeaf {
		return none, fmt.Errorf("%d earlier calls have not returned: %w", n, ErrDeaf)
	}
	if bound > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, bound, overtime{bound})
		defer cancel()
	}
	var state atomic.Int32
	results := make(chan result[T], 1)
	go func() {
		var r result[T]
		defer func() {
			if !r.returned {
				r.panic = recover()
				klog.FromContext(ctx).Error(nil, "A call of the lock panicked", "panic", r.panic, "stack", string(debug.Stack()))
			}
			if state.CompareAndSwap(underway, finished) {
				results <- r
			} else {
				deaf.Add(-1)
			}
		}()
		r.value, r.err = call(ctx)
		r.returned = true
	}()
	select {
	case r := <-results:
		return r.get()
	case <-ctx.Done():
	}
	patience := time.NewTimer(lastWord)
	defer patience.Stop()
	select {
	case r := <-results:
		return r.get()
	case <-patience.C:
	}
	deaf.Add(1)
	if !state.CompareAndSwap(underway, abandoned) {
		deaf.Add(-1)
		return (<-results).get()
	}
	return none, fmt.Errorf("%w: %w", context.Cause(ctx), ErrDeaf)
}
