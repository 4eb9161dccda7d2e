package resourcelock

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve sends n requests through a gate at once, each answered after the time
// that `takes` says, and returns when the i-th entered.
func serve(g *gate, n int, takes func(i int) time.Duration) []time.Duration {
	entered := make([]time.Duration, n)
	done := make(chan struct{})
	start := time.Now()
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			_, leave, err := g.enter(context.Background())
			if err != nil {
				return
			}
			entered[i] = time.Since(start)
			time.Sleep(takes(i)) // virtual
			leave()
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
		entered := serve(newGate(time.Second), 18, func(int) time.Duration { return 10 * time.Millisecond })
		for i, at := range entered {
			assert.Equal(t, time.Duration(i/mostInside)*10*time.Millisecond, at, "request %d", i)
		}
	})
}

func TestWhatIsSlowStopsCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered := serve(newGate(time.Second), 100, func(i int) time.Duration {
			if i < mostInside-1 {
				return time.Hour // five of the six places
			}
			return 50 * time.Millisecond
		})
		assert.Equal(t, 950*time.Millisecond, entered[mostInside-1+19], "one place is left")
		assert.LessOrEqual(t, entered[99], 2*time.Second, "after a second all six are free again")
	})
}

func TestAGateIsNoLimitToASlowAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(500 * time.Millisecond)
		entered := serve(g, 1000, func(int) time.Duration { return 300 * time.Millisecond })
		assert.LessOrEqual(t, entered[999], 5*time.Second)
		assert.Zero(t, g.inside)
		for range 20 { // rest
			time.Sleep(time.Second)
			_, leave, err := g.enter(t.Context())
			require.NoError(t, err)
			leave()
		}
		assert.Equal(t, mostInside, g.width, "it narrows again")
	})
}

func TestWideningThatDoesNotHelpIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(500 * time.Millisecond)
		widest, processor := 0, make(chan struct{}, 1)
		start := time.Now()
		done := make(chan struct{})
		for range 300 {
			go func() {
				defer func() { done <- struct{}{} }()
				_, leave, _ := g.enter(context.Background())
				g.mu.Lock()
				widest = max(widest, g.width)
				g.mu.Unlock()
				processor <- struct{}{} // one at a time, 20ms each, however many are inside
				time.Sleep(20 * time.Millisecond)
				<-processor
				leave()
			}()
		}
		for range 300 {
			<-done
		}
		assert.Equal(t, 6*time.Second, time.Since(start))
		assert.Equal(t, 2*mostInside, widest)
	})
}

func TestAWaitEndsWithItsContextAndLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(time.Second)
		var leaves []func()
		for range mostInside {
			_, leave, err := g.enter(t.Context())
			require.NoError(t, err)
			leaves = append(leaves, leave)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := g.enter(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Empty(t, g.waiting)
		for _, leave := range leaves {
			leave()
			leave()
		}
		assert.Zero(t, g.inside)
	})
}
