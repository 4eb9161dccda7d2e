package resourcelock

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/turn"
)

// full returns a limiter with no room, and the slots that take it.
func full(t *testing.T) (*limiter, []*slot) {
	t.Helper()
	l := newLimiter(100*time.Millisecond, time.Second)
	var slots []*slot
	for range leastWidth {
		slot, _, err := l.acquire(t.Context())
		require.NoError(t, err)
		slots = append(slots, slot)
	}
	return l, slots
}

// Who leads goes on leading, and who looks on comes last.
func TestWhoWaitsIsLetInByRank(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, slots := full(t)
		order := make(chan turn.Rank, 6)
		for _, rank := range []turn.Rank{turn.Looks, turn.Claims, turn.Renews, turn.Looks, turn.Claims, turn.Renews} {
			go func() {
				mine := &turn.Turn{Rank: rank}
				slot, _, err := l.acquire(turn.With(context.Background(), mine))
				if assert.NoError(t, err) {
					order <- rank
					assert.False(t, mine.Waits())
					time.Sleep(time.Millisecond)
					slot.end(true)
				}
			}()
			synctest.Wait()
		}
		slots[0].end(true) // the others stay in flight
		var came []turn.Rank
		for range 6 {
			came = append(came, <-order)
		}
		assert.Equal(t, []turn.Rank{turn.Renews, turn.Renews, turn.Claims, turn.Claims, turn.Looks, turn.Looks}, came)
		time.Sleep(time.Second) // the last has ended, too
		synctest.Wait()
	})
}

// What is slow for everyone goes on counting: more in flight would be more connections.
func TestWhatIsSlowForEveryoneGoesOnCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(100*time.Millisecond, time.Second)
		processor, most := make(chan struct{}, 1), 0
		done := make(chan struct{})
		for range 60 {
			go func() {
				defer func() { done <- struct{}{} }()
				slot, _, _ := l.acquire(context.Background())
				l.mu.Lock()
				most = max(most, l.inFlight+l.uncounted)
				l.mu.Unlock()
				processor <- struct{}{} // one at a time, however many are in flight
				time.Sleep(50 * time.Millisecond)
				<-processor
				slot.end(true)
			}()
		}
		for range 60 {
			<-done
		}
		assert.LessOrEqual(t, most, 2*leastWidth, "it is tried once whether more are of use")
		assert.Zero(t, l.uncounted)
	})
}

// Where nothing is answered, those that hang keep nobody else for longer than that.
func TestWhatHangsStopsCountingThoughAllDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, slots := full(t)
		start := time.Now()
		slot, _, err := l.acquire(t.Context())
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(start), l.stuck+l.slow)
		slot.end(true)
		for _, s := range slots {
			s.end(false)
		}
		assert.Zero(t, l.inFlight)
		assert.Zero(t, l.uncounted)
	})
}

// A request that can no longer be answered is not sent, and its call knows that.
func TestARequestWhoseTurnComesTooLateIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, slots := full(t)
		l.took = 300 * time.Millisecond
		for left, sent := range map[time.Duration]bool{time.Second: true, 200 * time.Millisecond: false} {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond+left)
			var mine turn.Turn
			go func() {
				time.Sleep(50 * time.Millisecond)
				slots[0].end(false)
			}()
			slot, waited, err := l.acquire(turn.With(ctx, &mine))
			assert.Equal(t, 50*time.Millisecond, waited)
			assert.Equal(t, !sent, mine.Missed())
			if sent {
				require.NoError(t, err)
				slots[0] = slot
			} else {
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				slots[0], _, err = l.acquire(t.Context())
				require.NoError(t, err, "its room is another's")
			}
			cancel()
		}
	})
}

// Each time that a wider limiter is of no use, it is tried more rarely.
func TestAWidthThatIsOfNoUseIsTriedEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(100*time.Millisecond, time.Second)
		processor, widened, before := make(chan struct{}, 1), 0, leastWidth
		done := make(chan struct{})
		const all = 3000 // a minute's work
		for range all {
			go func() {
				defer func() { done <- struct{}{} }()
				slot, _, _ := l.acquire(context.Background())
				l.mu.Lock()
				if l.width > before {
					widened++
				}
				before = l.width
				l.mu.Unlock()
				processor <- struct{}{}
				time.Sleep(20 * time.Millisecond)
				<-processor
				slot.end(true)
			}()
		}
		for range all {
			<-done
		}
		assert.LessOrEqual(t, widened, 7)
		assert.Positive(t, widened)
	})
}

// A request on a dead connection keeps its place no longer than that of Connect, also in a
// process whose timers are late.
func TestWhatHangsStopsCountingInAProcessThatIsLate(t *testing.T) {
	for name, answers := range map[string]bool{"nothing is answered": false, "others are": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(100*time.Millisecond, time.Second)
				hangs, _, err := l.acquire(t.Context())
				require.NoError(t, err)
				start := time.Now()
				for !hangs.uncounted && time.Since(start) < 10*time.Second {
					hangs.timer.Stop()
					time.Sleep(time.Until(hangs.due) + 20*time.Millisecond)
					if answers {
						other, _, err := l.acquire(t.Context())
						require.NoError(t, err)
						other.end(true)
					}
					hangs.tooSlow()
				}
				assert.True(t, hangs.uncounted)
				assert.LessOrEqual(t, time.Since(start), l.stuck+2*l.slow)
				hangs.end(false)
				assert.Zero(t, l.uncounted)
			})
		})
	}
}
