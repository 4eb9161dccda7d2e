package compare

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

var quick = scenario.Timing{LeaseDuration: time.Second, RenewDeadline: 700 * time.Millisecond, RetryPeriod: 200 * time.Millisecond}

func everything() Selection {
	s := Selection{Peers: contender.Compared(), Timings: []scenario.Timing{scenario.Short, quick, scenario.Long}}
	for _, played := range scenario.All() {
		s.Scenarios = append(s.Scenarios, played.Name)
	}
	return s
}

func TestARoundPlaysEachCellOnce(t *testing.T) {
	s := everything()
	playable, not := s.Cells()
	assert.Len(t, playable, 3*(7*8+3), "etcd plays the three scenarios that harm the leader")
	assert.Len(t, not, 3*5)
	assert.Equal(t, len(s.Peers)*len(s.Scenarios)*3, len(playable)+len(not))
	var cells []Cell
	for _, step := range s.Round(7, 1) {
		assert.Equal(t, 1, step.Round)
		cells = append(cells, step.Cell)
	}
	assert.ElementsMatch(t, playable, cells)
}

func TestTheOrderIsTheSeeds(t *testing.T) {
	s := everything()
	assert.Equal(t, s.Round(7, 1), s.Round(7, 1))
	assert.NotEqual(t, s.Round(7, 1), s.Round(8, 1), "another seed")
	second, third := s.Round(7, 2), s.Round(7, 3)
	assert.NotEqual(t, cellsOf(second), cellsOf(third), "another round")
	assert.ElementsMatch(t, cellsOf(second), cellsOf(third))
	sorted, _ := s.Cells()
	assert.NotEqual(t, sorted[:len(second)], cellsOf(second), "shuffled")
}

func TestWhatMattersMostComesFirst(t *testing.T) {
	s := everything()
	first := s.Round(7, 1)
	for i, step := range first[:2*len(s.Scenarios)] {
		assert.Equal(t, scenario.Short, step.Timing, "step %d", i)
		assert.Contains(t, headline, step.Peer, "step %d", i)
	}
	assert.True(t, slices.IsSortedFunc(first, func(a, b Step) int {
		return slices.Index(s.Timings, a.Timing) - slices.Index(s.Timings, b.Timing)
	}), "one timing after the other")
	second := s.Round(7, 2)[:2*len(s.Scenarios)]
	assert.True(t, slices.ContainsFunc(second, func(s Step) bool { return !slices.Contains(headline, s.Peer) }), "from the second round on all peers are mixed")
}

func TestLongLeasesArePlayedInEveryThirdRound(t *testing.T) {
	long := func(s Step) bool { return s.Timing == scenario.Long }
	for n, want := range map[int]bool{1: true, 2: false, 3: false, 4: true, 7: true} {
		assert.Equal(t, want, slices.ContainsFunc(everything().Round(7, n), long), "round %d", n)
	}
	alone := everything()
	alone.Timings = []scenario.Timing{scenario.Long}
	assert.NotEmpty(t, alone.Round(7, 2), "with nothing else to play")
}

func TestACellThatCannotBePlayedSaysWhy(t *testing.T) {
	s := Selection{
		Peers: []string{"client-go", "etcd", "holdfast"}, Scenarios: []string{"api-silent", "kill"},
		Timings: []scenario.Timing{{LeaseDuration: 1500 * time.Millisecond, RenewDeadline: time.Second, RetryPeriod: 200 * time.Millisecond}},
	}
	playable, not := s.Cells()
	assert.Len(t, playable, 2)
	why := map[string]string{}
	for _, i := range not {
		why[i.Peer+" "+i.Scenario] = i.Sample().Limit
	}
	assert.Len(t, why, 4)
	assert.Contains(t, why["client-go kill"], "not applicable: LeaseDuration 1.5s: client-go cuts it")
	assert.Contains(t, why["etcd kill"], "whole seconds")

	s.Timings = []scenario.Timing{quick}
	_, not = s.Cells()
	assert.Len(t, not, 1)
	assert.Contains(t, not[0].Sample().Limit, "API server")
}

func cellsOf(steps []Step) []Cell {
	var cells []Cell
	for _, s := range steps {
		cells = append(cells, s.Cell)
	}
	return cells
}
