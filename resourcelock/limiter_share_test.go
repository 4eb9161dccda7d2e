package resourcelock

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/turn"
)

// Where renewals alone take all that there is, and still come in time, who looks on learns
// something now and then all the same.
func TestWhoLooksOnIsNotStarvedByRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(100*time.Millisecond, time.Second)
		processor := make(chan struct{}, 1)
		ctx, stop := context.WithCancel(t.Context())
		calls := func(n int, rank turn.Rank) (answered, missed int) {
			spread := rand.New(rand.NewPCG(1, uint64(n)))
			for ctx.Err() == nil {
				call, cancel := context.WithTimeout(turn.With(ctx, &turn.Turn{Rank: rank}), 10*time.Second)
				if slot, _, err := l.acquire(call); err != nil {
					missed++
				} else {
					processor <- struct{}{}
					time.Sleep(30 * time.Millisecond)
					<-processor
					slot.end(true)
					answered++
				}
				cancel()
				time.Sleep(2*time.Second + time.Duration(spread.IntN(500))*time.Millisecond)
			}
			return answered, missed
		}
		done := make(chan int)
		for n := range 100 {
			go func() { _, missed := calls(n, turn.Renews); done <- missed }()
		}
		looked := make(chan int)
		const others = 60
		for n := range others {
			go func() { answered, _ := calls(n, turn.Claims+turn.Rank(n%2)); looked <- answered }()
		}
		time.Sleep(5 * time.Minute)
		stop()
		missed := 0
		for range 100 {
			missed += <-done
		}
		assert.LessOrEqual(t, missed, 100, "those that were stopped")
		for range others {
			assert.Greater(t, <-looked, 5)
		}
		require.Zero(t, l.inFlight)
	})
}
