package leaderelection

import (
	"context"
	"time"
)

// workContext returns the context of the work that term guards. It has the
// values of run, the context of Run, its logger as the caller has made it, and
// its deadline, as client-go's has. Only cancel ends it, so that the cause is
// always why the term ended.
func workContext(run context.Context, t *tenure, term *Term) (ctx context.Context, cancel context.CancelCauseFunc) {
	ctx = context.WithValue(context.WithoutCancel(run), termKey{}, term)
	ctx = context.WithValue(ctx, termOfKey{t}, term)
	if deadline, bounded := run.Deadline(); bounded {
		ctx = announced{ctx, deadline}
	}
	return context.WithCancelCause(ctx)
}

// announced is a context that tells a deadline and does not end at it.
type announced struct {
	context.Context
	deadline time.Time
}

// Deadline implements context.Context.
func (a announced) Deadline() (deadline time.Time, ok bool) { return a.deadline, true }
