package dialer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Error is what a dial or a round trip ends with when it could not succeed. It
// wraps the cause: the caller's context error (so that errors.Is with
// context.Canceled or context.DeadlineExceeded holds), os.ErrDeadlineExceeded
// when the bound of the operation itself ran out, and the last failure of an
// attempt, where there was one.
type Error struct {
	// Op says what was tried on what: "dial tcp 192.0.2.1:443", "PUT 192.0.2.1:443".
	Op string
	// Tries counts the dials or attempts that were started.
	Tries int
	// Elapsed is how long the operation took in all.
	Elapsed time.Duration
	// Bound is how long it was allowed to take.
	Bound time.Duration
	// Err is the cause.
	Err error
}

// Error says what was tried, how often, for how long, within what bound, and why it failed.
func (e *Error) Error() string {
	unit := "attempts"
	if e.Tries == 1 {
		unit = "attempt"
	}
	return fmt.Sprintf("dialer: %s failed after %d %s in %v (bound %v): %v",
		e.Op, e.Tries, unit, e.Elapsed.Round(time.Millisecond), e.Bound, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether time ran out, the caller's or the operation's own. It
// makes the error a net.Error in the eyes of net/http and client-go.
func (e *Error) Timeout() bool {
	if errors.Is(e.Err, os.ErrDeadlineExceeded) || errors.Is(e.Err, context.DeadlineExceeded) {
		return true
	}
	var cause net.Error
	return errors.As(e.Err, &cause) && cause.Timeout()
}

// Temporary reports the same as Timeout. The method only completes net.Error.
func (e *Error) Temporary() bool { return e.Timeout() }

var _ net.Error = (*Error)(nil)

// ended says why an operation that has had no success ends now: the caller's
// context, with its own cause where it has one, or else the operation's bound;
// and what failed last, if anything did.
func ended(caller context.Context, last error) error {
	why := os.ErrDeadlineExceeded
	if err := caller.Err(); err != nil {
		why = err
		if cause := context.Cause(caller); cause != nil && !errors.Is(err, cause) {
			why = fmt.Errorf("%w: %w", err, cause)
		}
	}
	if last == nil {
		return why
	}
	return fmt.Errorf("%w; the last failure was: %w", why, last)
}
