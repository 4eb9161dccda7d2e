package dialer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWhoseTurnApproachesIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const recent = 50 * ms
		var o order
		o.sent()
		o.sent()
		mine := o.sent()
		assert.EqualValues(t, 2, mine.ahead)
		assert.False(t, o.approaches(mine, time.Now(), recent), "nothing is answered: its connection may be dead")
		o.answered()
		assert.True(t, o.approaches(mine, time.Now(), recent), "the first of those before it")
		o.answered()
		assert.True(t, o.approaches(mine, time.Now(), recent))
		time.Sleep(recent)
		assert.False(t, o.approaches(mine, time.Now(), recent), "nothing is answered any more")
		o.answered()
		assert.False(t, o.approaches(mine, time.Now(), recent), "it was overtaken")
	})
}

// A call whose turn approaches is not hedged, but no longer than for half of its bound.
func TestACallWhoseTurnApproachesIsNotHedged(t *testing.T) {
	for name, c := range map[string]struct {
		waited  time.Duration
		answers int
		hedged  bool
	}{
		"nothing is answered":                {500 * ms, 0, true},
		"one before it was":                  {500 * ms, 1, false},
		"it was overtaken":                   {500 * ms, 2, true},
		"half of the bound is no time to go": {1100 * ms, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := &Transport{Base: newScript(after(time.Hour, broken), after(time.Hour, broken)), Budget: Budget{Answer: 2 * time.Second}}
				rt.order.sent()
				call := rt.newCall(newRequest(t.Context(), "GET", ""), rt.Budget.WithDefaults())
				defer func() { call.settle(nil, false) }()
				call.wake = time.NewTimer(time.Hour)
				call.launch(t.Context(), beside{})
				time.Sleep(c.waited)
				for range c.answers {
					rt.order.answered()
				}
				call.due = time.Now()
				assert.NoError(t, call.look(t.Context()))
				assert.Equal(t, c.hedged, len(call.attempts) == 2)
			})
		})
	}
}
