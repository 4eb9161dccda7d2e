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
		"kept connection dead, quick elsewhere":     {hedging{weighed: 1, answered: true, took: delay}, 1},
		"several dead, quick at last":               {hedging{weighed: 3, empty: 1, answered: true, took: 8 * ms}, 4},
		"slow elsewhere, too":                       {hedging{weighed: 1, answered: true, took: delay + 1}, 0},
		"slow elsewhere, a hedge in vain":           {hedging{weighed: 1, empty: 2, answered: true, took: time.Second}, 2},
		"a new connection was slow":                 {hedging{weighed: 1, answered: true, took: 8 * ms, fresh: true}, 0},
		"the first was slow and won":                {hedging{weighed: 2, answered: true, byFirst: true, took: 250 * ms}, 0},
		"the first won, a hedge got no connection":  {hedging{weighed: 1, empty: 1, answered: true, byFirst: true, took: 250 * ms}, 1},
		"no answer":                                 {hedging{weighed: 2}, 0},
		"no answer and no connection":               {hedging{empty: 5}, 5},
		"new connection slow, no connection beside": {hedging{empty: 1, answered: true, took: 8 * ms, fresh: true}, 1},
		"handshakes silent, quick elsewhere":        {hedging{shaking: 2, empty: 1, answered: true, took: 8 * ms, whole: delay, fresh: true}, 3},
		"handshakes slow everywhere":                {hedging{shaking: 2, empty: 1, answered: true, took: 8 * ms, whole: delay + 1, fresh: true}, 1},
		"handshakes slow, the first won":            {hedging{shaking: 2, answered: true, byFirst: true, whole: 8 * ms}, 0},
		"handshakes, no answer":                     {hedging{shaking: 2}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.hedging.delay = delay
			assert.Equal(t, c.want, c.hedging.refund())
		})
	}
}
