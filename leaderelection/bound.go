package leaderelection

import (
	"context"
	"fmt"
	"time"
)

// outOfTime is the cause of a context that within ended.
type outOfTime struct{ bound time.Duration }

func (e outOfTime) Error() string { return fmt.Sprintf("no answer within %v", e.bound) }

func (outOfTime) Is(target error) bool { return target == context.DeadlineExceeded }

// within returns ctx bounded by d on the timepiece's clock, which context's own
// timeouts would not follow.
func (t timepiece) within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := t.AfterFunc(max(d, 0), func() { cancel(outOfTime{d}) })
	return ctx, func() {
		timer.Stop()
		cancel(context.Canceled)
	}
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
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}
