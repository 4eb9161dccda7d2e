package bounded

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

// in returns two contexts that end after d, the second a tenth of it later.
func in(t *testing.T, d time.Duration) (ctx, until context.Context) {
	t.Helper()
	until, cancel := context.WithTimeout(t.Context(), d+d/10)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeoutCause(until, d, errBound)
	t.Cleanup(cancel)
	return ctx, until
}

var errBound = errors.New("the bound")

func TestWhatACallReturnsIsReturned(t *testing.T) {
	var calls Calls
	failed := errors.New("failed")
	value, err := Do(t.Context(), t.Context(), &calls, func(context.Context) (int, error) { return 1, failed })
	assert.Equal(t, 1, value)
	assert.Equal(t, failed, err)
}

func TestACallThatHeedsItsContextHasTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls Calls
		ctx, until := in(t, time.Second)
		start := time.Now()
		_, err := Do(ctx, until, &calls, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			time.Sleep(50 * time.Millisecond)
			return 0, errors.New("the server was slow")
		})
		assert.EqualError(t, err, "the server was slow")
		assert.Equal(t, 1050*time.Millisecond, time.Since(start))
	})
}

func TestADeafCallIsNotWaitedForBeyondItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls Calls
		back := make(chan struct{})
		deaf := func(context.Context) (int, error) { <-back; return 1, nil }
		for range Most {
			ctx, until := in(t, time.Second)
			start := time.Now()
			value, err := Do(ctx, until, &calls, deaf)
			assert.Zero(t, value)
			assert.ErrorIs(t, err, ErrDeaf)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, 1100*time.Millisecond, time.Since(start))
		}
		ctx, until := in(t, time.Second)
		start := time.Now()
		_, err := Do(ctx, until, &calls, func(context.Context) (int, error) { t.Error("one too many"); return 0, nil })
		assert.ErrorIs(t, err, ErrDeaf)
		assert.ErrorIs(t, err, errBound)
		assert.Equal(t, time.Second, time.Since(start), "as long as others have not returned")

		time.AfterFunc(time.Second/2, func() { close(back) })
		ctx, until = in(t, time.Second)
		start = time.Now()
		value, err := Do(ctx, until, &calls, deaf)
		assert.NoError(t, err)
		assert.Equal(t, 1, value)
		assert.Equal(t, time.Second/2, time.Since(start), "it was called when one had returned")
		synctest.Wait()
		assert.Zero(t, goingOn(&calls))
	})
}

// A caller that cancels many calls at once leaves them all behind for a moment.
func TestCallsThatAreCancelledAtOnceHoldUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls Calls
		ctx, cancel := context.WithCancel(t.Context())
		for range 10 * Most {
			go func() {
				_, err := Do(ctx, ctx, &calls, func(ctx context.Context) (int, error) {
					<-ctx.Done()
					time.Sleep(time.Millisecond)
					return 0, ctx.Err()
				})
				assert.ErrorIs(t, err, context.Canceled)
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		start := time.Now()
		_, err := Do(t.Context(), t.Context(), &calls, func(context.Context) (int, error) { return 0, nil })
		assert.NoError(t, err)
		assert.Equal(t, time.Millisecond, time.Since(start))
	})
}

func TestWithAContextThatHasEndedNothingIsCalled(t *testing.T) {
	var calls Calls
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBound)
	_, err := Do(ctx, ctx, &calls, func(context.Context) (int, error) { t.Error("called"); return 0, nil })
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, err, errBound)
}

func TestTheEndOfAContextIsItsErrorAndItsCause(t *testing.T) {
	assert.NoError(t, Ended(t.Context()))
	for cause, want := range map[error]string{
		nil:      "context canceled",
		errBound: "context canceled: " + errBound.Error(),
		fmt.Errorf("%w, I say", context.Canceled): "context canceled, I say",
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		assert.EqualError(t, Ended(ctx), want)
		assert.ErrorIs(t, Ended(ctx), context.Canceled)
	}
}

func TestAContextWithoutADeadlineIsWaitedForToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls Calls
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(time.Hour, func() { cancel(errBound) })
		back := make(chan struct{})
		defer close(back)
		start := time.Now()
		_, err := Do(ctx, ctx, &calls, func(context.Context) (int, error) { <-back; return 0, nil })
		assert.ErrorIs(t, err, errBound)
		assert.Equal(t, time.Hour, time.Since(start))
	})
}

func TestAPanicReachesTheCaller(t *testing.T) {
	var calls Calls
	panics := func(context.Context) (int, error) { panic("of the user's") }
	_, err := Do(t.Context(), t.Context(), &calls, panics)
	assert.EqualError(t, err, "the call panicked: of the user's")
	assert.PanicsWithValue(t, "of the user's", func() { Raise(t.Context(), errors.Join(err)) })
	assert.NotPanics(t, func() { Raise(t.Context(), nil); Raise(t.Context(), errBound) })

	_, err = Do(t.Context(), t.Context(), &calls, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
	assert.ErrorContains(t, err, "has ended its goroutine")
	assert.Zero(t, goingOn(&calls))
}

func TestAPanicThatNobodyWaitsForCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls Calls
		ctx, until := in(t, time.Second)
		_, err := Do(ctx, until, &calls, func(context.Context) (int, error) { time.Sleep(time.Minute); panic("late") })
		require.ErrorIs(t, err, ErrDeaf)
		assert.Equal(t, 1, goingOn(&calls))
		time.Sleep(2 * time.Minute)
		assert.Zero(t, goingOn(&calls))
	})
}

func TestACallThatIsMadeByAnotherNeedsNoGoroutineOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var outer, inner Calls
		ctx, until := in(t, time.Second)
		start := time.Now()
		_, err := Do(ctx, until, &outer, func(ctx context.Context) (int, error) {
			ended, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			value, err := Do(ended, ended, &inner, func(context.Context) (int, error) { time.Sleep(500 * time.Millisecond); return 2, nil })
			assert.NoError(t, err)
			assert.Equal(t, 2, value, "the outer call waits for it")

			began := time.Now()
			own := Awaited(ctx)
			bound, cancel := context.WithTimeout(own, time.Millisecond)
			defer cancel()
			_, err = Do(bound, bound, &inner, func(context.Context) (int, error) { time.Sleep(time.Minute); return 0, nil })
			assert.ErrorIs(t, err, ErrDeaf)
			assert.Equal(t, time.Millisecond, time.Since(began))
			return 0, err
		})
		assert.ErrorIs(t, err, ErrDeaf)
		assert.Equal(t, 501*time.Millisecond, time.Since(start))
		time.Sleep(time.Hour)
	})
}

// For callers that make calls in goroutines of their own.
func TestACallIsLeftOnceAndReturnsOnce(t *testing.T) {
	var calls Calls
	var heard, late Call
	assert.True(t, calls.Return(&heard))
	assert.False(t, calls.Leave(&heard))
	assert.True(t, calls.Leave(&late))
	assert.True(t, calls.Leave(&late))
	assert.Equal(t, 1, goingOn(&calls))
	assert.False(t, calls.Return(&late))
	assert.Zero(t, goingOn(&calls))
}

// goingOn returns how many calls go on though nobody waits for them.
func goingOn(c *Calls) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}
