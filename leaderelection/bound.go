package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"
)

// outOfTime is the cause of a context that within ended.
type outOfTime struct{ bound time.Duration }

func (e outOfTime) Error() string { return fmt.Sprintf("no answer within %v", e.bound) }

func (outOfTime) Is(target error) bool { return target == context.DeadlineExceeded }

// within returns ctx bounded by d on the timepiece's clock, which context's own
// timeouts would not follow.
func (t timepiece) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	l := new(limit)
	return l.begin(t, ctx, d), l.end
}

// limit bounds one context. It can be a part of what the context is for, so that
// a renewal allocates no more than it must.
type limit struct {
	bound  time.Duration
	cancel context.CancelCauseFunc
	timer  clock.Timer
}

// begin returns ctx bounded by d. It is called once.
func (l *limit) begin(t timepiece, ctx context.Context, d time.Duration) context.Context {
	ctx, l.cancel = context.WithCancelCause(ctx)
	l.bound = d
	l.timer = t.AfterFunc(max(d, 0), l.pass)
	return ctx
}

// open returns ctx without a bound, for end to cancel. It is called in place of
// begin.
func (l *limit) open(ctx context.Context) context.Context {
	ctx, l.cancel = context.WithCancelCause(ctx)
	return ctx
}

func (l *limit) pass() { l.cancel(outOfTime{l.bound}) }

// end frees what begin or open has taken, and cancels the context if it still lasts. It
// may be called more than once, from any goroutine.
func (l *limit) end() {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.cancel(context.Canceled)
}

// sleep waits for d, or less if ctx ends.
func (t timepiece) sleep(ctx context.Context, d time.Duration) {
	timer := t.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-ctx.Done():
	}
}

// explain adds to an error why the context of the call ended, which client-go
// reports as a mere "context canceled".
func explain(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}
