package dialer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestOnlyAHedgeOverADeadConnectionIsRefunded(t *testing.T) {
	const delay = 100 * ms
	for name, c := range map[string]struct {
		hedging hedging
		want    int
	}{
		"no hedge":                                  {hedging{answered: true, byFirst: true}, 0},
		"kept connection dead, quick elsewhere":     {hedging{reachedServer: 1, answered: true, took: delay}, 1},
		"several dead, quick at last":               {hedging{reachedServer: 3, unconnected: 1, answered: true, took: 8 * ms}, 4},
		"slow elsewhere, too":                       {hedging{reachedServer: 1, answered: true, took: delay + 1}, 0},
		"slow elsewhere, a hedge in vain":           {hedging{reachedServer: 1, unconnected: 2, answered: true, took: time.Second}, 2},
		"a new connection was slow":                 {hedging{reachedServer: 1, answered: true, took: 8 * ms, fresh: true}, 0},
		"the first was slow and won":                {hedging{reachedServer: 2, answered: true, byFirst: true, took: 250 * ms}, 0},
		"the first won, a hedge got no connection":  {hedging{reachedServer: 1, unconnected: 1, answered: true, byFirst: true, took: 250 * ms}, 1},
		"no answer":                                 {hedging{reachedServer: 2}, 0},
		"no answer and no connection":               {hedging{unconnected: 5}, 5},
		"new connection slow, no connection beside": {hedging{unconnected: 1, answered: true, took: 8 * ms, fresh: true}, 1},
		"handshakes silent, quick elsewhere":        {hedging{inHandshake: 2, unconnected: 1, answered: true, took: 8 * ms, whole: delay, fresh: true}, 3},
		"handshakes slow everywhere":                {hedging{inHandshake: 2, unconnected: 1, answered: true, took: 8 * ms, whole: delay + 1, fresh: true}, 1},
		"handshakes slow, the first won":            {hedging{inHandshake: 2, answered: true, byFirst: true, whole: 8 * ms}, 0},
		"handshakes, no answer":                     {hedging{inHandshake: 2}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.hedging.delay = delay
			assert.Equal(t, c.want, c.hedging.refund())
		})
	}
}
