package resourcelock

import (
	"context"
	"fmt"
	"time"

	restclient "k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// ErrDeaf is wrapped by the error of a call that hangs: its time is over, and it has
// not returned although its context has ended. It is also wrapped by the error of a
// call that was not made because several such calls still hang. The cause is not the
// network but code that ignores its context, such as an exec plugin or a handler of
// warnings.
var ErrDeaf = bounded.ErrDeaf

// caller makes calls to the API.
type caller struct {
	// bound is the longest that a call may take. One that is not positive is none.
	bound time.Duration
	// heeds says that every call is known to return when its context ends.
	heeds bool
	// deaf are the calls that do not.
	deaf bounded.Calls
}

// lastWord is how much of the time that is left a call has for saying what it has
// met.
func lastWord(left time.Duration) time.Duration { return min(left/20, 50*time.Millisecond) }

// overtime is the cause of the end of a call's context when the lock's own bound
// has passed.
type overtime struct{ bound time.Duration }

func (o overtime) Error() string { return fmt.Sprintf("the lock's bound of %v has passed", o.bound) }

// Is makes it a context.DeadlineExceeded.
func (overtime) Is(target error) bool { return target == context.DeadlineExceeded }

// within makes a call to the API and returns when it has, when the bound has
// passed since, or when ctx ends, whichever is first. It is the one bound of a
// call for a caller that sets none, such as client-go's elector: what waits, is
// sent again or is redirected in the layers below is within it. What the call
// panics with, within panics with.
func within[T any](ctx context.Context, c *caller, call func(context.Context) (T, error)) (T, error) {
	if ctx.Err() != nil {
		var none T
		return none, bounded.Ended(ctx)
	}
	until := ctx
	if c.bound > 0 {
		var cancel context.CancelFunc
		until, cancel = context.WithTimeoutCause(ctx, c.bound, overtime{c.bound})
		defer cancel()
	}
	if c.heeds {
		return call(until)
	}
	told := until
	if deadline, limited := until.Deadline(); limited {
		why := context.DeadlineExceeded
		if theirs, limited := ctx.Deadline(); !limited || deadline.Before(theirs) {
			why = overtime{c.bound}
		}
		var cancel context.CancelFunc
		told, cancel = context.WithDeadlineCause(until, deadline.Add(-lastWord(time.Until(deadline))), why)
		defer cancel()
	}
	value, err := bounded.Do(told, until, &c.deaf, call)
	bounded.Raise(ctx, err)
	return value, err
}

// heedsContexts reports whether every call of a client that was made from
// config, hardened, ends with its context. Package dialer sees to that for
// whatever it sends through, the user's own round trippers included. It is above
// it that client-go calls plugins for credentials and handlers of warnings, and reads
// the file of a token.
func heedsContexts(config *restclient.Config) bool {
	return config.ExecProvider == nil && config.AuthProvider == nil && config.BearerTokenFile == "" &&
		config.WarningHandler == nil && config.WarningHandlerWithContext == nil
}
