package cost

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestContendersAreSpreadEvenly(t *testing.T) {
	for _, c := range []struct {
		n, processes int
		want         []int
	}{
		{1, 20, []int{1}}, {3, 20, []int{1, 1, 1}}, {20, 20, spread(20, 20)}, {7, 3, []int{3, 2, 2}}, {9, 3, []int{3, 3, 3}}, {0, 3, nil}, {3, 0, nil},
	} {
		assert.Equal(t, c.want, spread(c.n, c.processes), "%d over %d", c.n, c.processes)
	}
	for n := 1; n < 1100; n += 7 {
		sum := 0
		for _, size := range spread(n, 20) {
			sum += size
			assert.InDelta(t, float64(n)/float64(min(n, 20)), float64(size), 1)
		}
		assert.Equal(t, n, sum)
	}
}

func TestWhenContendersHaveSettled(t *testing.T) {
	leader := Reading{Contenders: 1, Leading: 1, Sent: 5, Answered: 1, Network: Network{Opened: 1, Established: 1}}
	standbys := Reading{Contenders: 9, Sent: 20, Answered: 9, Network: Network{Opened: 9, Established: 9}}
	change := func(r Reading, f func(*Reading)) Reading { f(&r); return r }
	unseen := func(r *Reading) { r.Sent, r.Answered = 0, 0 } // requests are not counted
	none := func(r *Reading) { unseen(r); r.Network = Network{} }
	fresh := func(r *Reading) { unseen(r); r.Network.Established = 0 } // its connections end with their requests
	for name, c := range map[string]struct {
		before, now []Reading
		want        bool
	}{
		"all have":                      {[]Reading{leader, standbys}, []Reading{leader, standbys}, true},
		"the first look":                {nil, []Reading{leader, standbys}, false},
		"one without two answers":       {[]Reading{leader, standbys}, []Reading{leader, change(standbys, func(r *Reading) { r.Answered = 8 })}, false},
		"one that has not begun":        {[]Reading{leader, standbys}, []Reading{leader, change(standbys, func(r *Reading) { r.Contenders = 8 })}, false},
		"nobody leads":                  {[]Reading{change(leader, func(r *Reading) { r.Leading = 0 }), standbys}, []Reading{change(leader, func(r *Reading) { r.Leading = 0 }), standbys}, false},
		"two lead":                      {[]Reading{leader, change(standbys, func(r *Reading) { r.Leading = 1 })}, []Reading{leader, change(standbys, func(r *Reading) { r.Leading = 1 })}, false},
		"led only now":                  {[]Reading{change(leader, func(r *Reading) { r.Leading = 0 }), standbys}, []Reading{leader, standbys}, false},
		"lost in between":               {[]Reading{leader, standbys}, []Reading{change(leader, func(r *Reading) { r.Lost = 1 }), standbys}, false},
		"one is broken":                 {[]Reading{leader, standbys}, []Reading{leader, change(standbys, func(r *Reading) { r.Broken = "it" })}, false},
		"another peer, connected":       {[]Reading{change(leader, unseen)}, []Reading{change(leader, unseen)}, false}, // 1 of 10 contends
		"another peer, all":             {[]Reading{change(leader, unseen), change(standbys, unseen)}, []Reading{change(leader, unseen), change(standbys, unseen)}, true},
		"another peer, still connects":  {[]Reading{change(leader, unseen), change(standbys, func(r *Reading) { unseen(r); r.Network.Established = 8 })}, []Reading{change(leader, unseen), change(standbys, unseen)}, false},
		"another peer, not connected":   {[]Reading{change(leader, none), standbys}, []Reading{change(leader, none), standbys}, false},
		"another peer, none is kept":    {[]Reading{change(leader, fresh), standbys}, []Reading{change(leader, fresh), standbys}, true},
		"connections of each request's": {[]Reading{leader, standbys}, []Reading{leader, change(standbys, func(r *Reading) { r.Network.Established = 2 })}, true},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, settled(c.before, c.now, 1, 10)) })
	}
}

func TestWhatHasNotSettledIsSaid(t *testing.T) {
	said := state([]Reading{
		{Contenders: 1, Lost: 1, Sent: 9, Network: Network{Opened: 4}},
		{Contenders: 500, Sent: 700, Answered: 182, Network: Network{Opened: 9000}},
	}, 1, 1000)
	assert.Equal(t, "501 of 1000 contend, 0 lead where 1 should, 1 leases lost, 9004 connections opened, 182 have had two answers", said)
	assert.NotContains(t, state([]Reading{{Contenders: 1}}, 1, 1), "answers", "of requests that are not counted nothing is known")
}
