package resourcelock

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve sends n requests through a limiter at once, each answered after the time
// that `takes` says, and returns when the i-th entered.
func serve(l *limiter, n int, takes func(i int) time.Duration) []time.Duration {
	entered := make([]time.Duration, n)
	done := make(chan struct{})
	start := time.Now()
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			slot, _, err := l.acquire(context.Background())
			if err != nil {
				return
			}
			entered[i] = time.Since(start)
			time.Sleep(takes(i)) // virtual
			slot.end(true)
		}()
		synctest.Wait() // one after the other
	}
	for range n {
		<-done
	}
	return entered
}

func TestAGateLetsInSixAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered := serve(newLimiter(time.Second, 2*time.Second), 18, func(int) time.Duration { return 10 * time.Millisecond })
		for i, at := range entered {
			assert.Equal(t, time.Duration(i/leastWidth)*10*time.Millisecond, at, "request %d", i)
		}
	})
}

func TestWhatIsSlowStopsCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered := serve(newLimiter(time.Second, 2*time.Second), 100, func(i int) time.Duration {
			if i < leastWidth-1 {
				return time.Hour // five of the six slots
			}
			return 50 * time.Millisecond
		})
		assert.Equal(t, 950*time.Millisecond, entered[leastWidth-1+19], "one place is left")
		assert.LessOrEqual(t, entered[99], 2*time.Second, "after a second all six are free again")
	})
}

func TestAGateIsNoLimitToASlowAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(500*time.Millisecond, 2*time.Second)
		entered := serve(l, 1000, func(int) time.Duration { return 300 * time.Millisecond })
		assert.LessOrEqual(t, entered[999], 6*time.Second)
		assert.Zero(t, l.inFlight)
		for range 20 { // rest
			time.Sleep(time.Second)
			slot, _, err := l.acquire(t.Context())
			require.NoError(t, err)
			slot.end(true)
		}
		assert.Equal(t, leastWidth, l.width, "it narrows again")
	})
}

func TestWideningThatDoesNotHelpIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(500*time.Millisecond, 2*time.Second)
		widest, processor := 0, make(chan struct{}, 1)
		start := time.Now()
		done := make(chan struct{})
		for range 300 {
			go func() {
				defer func() { done <- struct{}{} }()
				slot, _, _ := l.acquire(context.Background())
				l.mu.Lock()
				widest = max(widest, l.width)
				l.mu.Unlock()
				processor <- struct{}{} // one at a time, 20ms each, however many are in flight
				time.Sleep(20 * time.Millisecond)
				<-processor
				slot.end(true)
			}()
		}
		for range 300 {
			<-done
		}
		assert.Equal(t, 6*time.Second, time.Since(start))
		assert.Equal(t, 2*leastWidth, widest)
	})
}

func TestAWaitEndsWithItsContextAndLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(time.Second, 2*time.Second)
		var slots []*slot
		for range leastWidth {
			slot, _, err := l.acquire(t.Context())
			require.NoError(t, err)
			slots = append(slots, slot)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := l.acquire(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		why := errors.New("enough")
		stopped, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Millisecond, func() { stop(why) })
		_, _, err = l.acquire(stopped)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, why)
		assert.Zero(t, l.waiting())
		for _, slot := range slots {
			slot.end(true)
		}
		assert.Zero(t, l.inFlight)
	})
}
