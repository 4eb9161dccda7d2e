package dialer

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// late makes this process one whose timers fire so late, for the rest of the bubble.
func late(t *testing.T, by time.Duration) {
	t.Helper()
	now := time.Now()
	process.fired(now.Add(-by), now)
	t.Cleanup(func() {
		process.mu.Lock()
		defer process.mu.Unlock()
		process.by, process.at = 0, time.Time{}
	})
}

func TestAProcessThatIsShortOfCPUMakesFewerConnectionsAtOnce(t *testing.T) {
	for by, most := range map[time.Duration]int{0: mostShaking, 90 * ms: mostShort} {
		synctest.Test(t, func(t *testing.T) {
			late(t, by)
			var h handshakes
			var m Meter
			var done []func(bool)
			made := make(chan func(bool))
			for range 2 * mostShaking {
				go func() {
					d, err := h.begin(t.Context(), m.follow(t.Context()), "server", time.Second)
					if assert.NoError(t, err) {
						made <- d
					}
				}()
			}
			for range most {
				done = append(done, <-made)
			}
			synctest.Wait()
			assert.Len(t, h.underway, most, "late by %v", by)
			assert.True(t, h.crowded(), "late by %v", by)
			for n := 0; n < len(done); n++ { // each that is ready makes room for one
				done[n](true)
				if len(done) < 2*mostShaking {
					done = append(done, <-made)
				}
			}
			assert.Empty(t, h.underway)
			assert.Empty(t, h.waiting)
		})
	}
}

// When the shortage is over, there is room again for all of them.
func TestRoomThatWasLackingIsUsedWhenTheShortageIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late(t, 90*ms)
		var h handshakes
		var m Meter
		made := make(chan func(bool), 2*mostShaking)
		for range 2 * mostShaking {
			go func() {
				d, err := h.begin(t.Context(), m.follow(t.Context()), "server", time.Second)
				if assert.NoError(t, err) {
					made <- d
				}
			}()
		}
		synctest.Wait()
		first := <-made
		process = lateness{}
		first(true)
		synctest.Wait()
		assert.Len(t, h.underway, mostShaking)
		for range 2*mostShaking - 1 {
			(<-made)(true)
		}
	})
}

// A dial that has connected is seen late where this process is: a sibling would be
// another connection that nobody needs.
func TestSiblingsStandBackWhereThisProcessIsLate(t *testing.T) {
	for by, siblings := range map[time.Duration]int{0: 2, 90 * ms: 0} {
		synctest.Test(t, func(t *testing.T) {
			late(t, by)
			var dials atomic.Int64
			d := &Dialer{Connect: time.Second, Hedge: 50 * ms, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				dials.Add(1)
				select {
				case <-time.After(120 * ms):
					near, far := net.Pipe()
					_ = far.Close()
					return near, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}}
			conn, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
			require.NoError(t, err)
			_ = conn.Close()
			assert.EqualValues(t, 1+siblings, dials.Load(), "late by %v", by)
		})
	}
}

// What others are made of is not closed while they are answered.
func TestIdleConnectionsStayWhereThisProcessIsLateAndOthersAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := Budget{Answer: 2 * time.Second}.WithDefaults()
		rt := &Transport{Base: newScript(), Budget: budget}
		closed := func() bool {
			before := rt.fresh.last
			rt.closeIdleOnce(budget)
			return rt.fresh.last != before
		}
		assert.True(t, closed())
		time.Sleep(budget.Hedge)
		rt.order.answered()
		assert.True(t, closed(), "this process has the CPU it needs")
		time.Sleep(3 * time.Second)
		rt.order.answered()
		late(t, 90*ms)
		assert.False(t, closed())
		time.Sleep(budget.Connect)
		late(t, 90*ms)
		assert.True(t, closed(), "nothing is answered")
		time.Sleep(budget.Connect)
		late(t, 90*ms)
		assert.False(t, closed(), "once in Answer")
	})
}

// One server of three that is dead keeps the connections to the others from being made no
// longer where only three are made at once.
func TestDeadHandshakesDoNotTakeTheLittleRoomOfAProcessThatIsShort(t *testing.T) {
	for _, by := range []time.Duration{0, 900 * ms} {
		synctest.Test(t, func(t *testing.T) {
			late(t, by)
			var h handshakes
			var m Meter
			const long = 5 * time.Second
			start, ready := time.Now(), make(chan time.Duration)
			for n := range 30 {
				go func() {
					d, err := h.begin(t.Context(), m.follow(t.Context()), "server", long)
					if !assert.NoError(t, err) {
						return
					}
					if n%3 == 0 { // the dead one
						time.Sleep(2 * long)
						d(false)
						return
					}
					time.Sleep(50 * ms)
					d(true)
					ready <- time.Since(start)
				}()
				synctest.Wait()
			}
			for range 20 {
				assert.Less(t, <-ready, 2*time.Second, "late by %v", by)
			}
			time.Sleep(10 * long)
			assert.Empty(t, h.underway)
		})
	}
}
