package starved

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestLedIsCountedOnceThoughTwoSayIt(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }
	var r record
	say := func(s int, lease, who string, leads bool) {
		r.heard(line{Time: at(s), Lease: lease, Who: who, Leads: leads})
	}
	say(-5, "x", "a", true)
	say(4, "x", "a", false)
	say(3, "x", "b", true) // it says so late
	say(6, "x", "b", false)
	say(8, "x", "a", true)
	assert.Equal(t, 1, r.leading())
	lost, share := r.between(at(0), at(10), 1)
	assert.Equal(t, 2, lost)
	assert.InDelta(t, 0.8, share, 1e-9)

	_, share = r.between(at(0), at(10), 2)
	assert.InDelta(t, 0.4, share, 1e-9, "the second lease was never led")

	r.died(at(9), func(who string) bool { return who == "a" })
	assert.Zero(t, r.leading())
	lost, share = r.between(at(0), at(10), 1)
	assert.Equal(t, 3, lost)
	assert.InDelta(t, 0.7, share, 1e-9)
}
