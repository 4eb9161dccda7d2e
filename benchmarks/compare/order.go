package compare

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

const (
	// longLease is from where on a timing's runs are so long that it takes part
	// in every longEvery-th round only.
	longLease = 10 * time.Second
	longEvery = 3
)

// headline are the peers that the first round begins with.
var headline = []string{"client-go", "holdfast"}

// Step is a cell in its round, from 1.
type Step struct {
	Round int
	Cell
}

// Round returns the steps of round n, from 1, in the order in which they are
// played. The same seed and selection give the same order.
func (s Selection) Round(seed uint64, n int) []Step {
	draw := rand.New(rand.NewPCG(seed, uint64(n)))
	playable, _ := s.Cells()
	var steps []Step
	for i, t := range s.Timings {
		if t.LeaseDuration >= longLease && (n-1)%longEvery != 0 && !s.onlyLong() {
			continue
		}
		var first, rest []Step
		for _, c := range playable {
			switch {
			case c.Timing != t:
			case n == 1 && i == 0 && slices.Contains(headline, c.Peer):
				first = append(first, Step{Round: n, Cell: c})
			default:
				rest = append(rest, Step{Round: n, Cell: c})
			}
		}
		for _, leg := range [][]Step{first, rest} {
			draw.Shuffle(len(leg), func(a, b int) { leg[a], leg[b] = leg[b], leg[a] })
			steps = append(steps, leg...)
		}
	}
	return steps
}

// onlyLong reports whether there is no timing but long ones, so that no round
// is empty.
func (s Selection) onlyLong() bool {
	return !slices.ContainsFunc(s.Timings, func(t scenario.Timing) bool { return t.LeaseDuration < longLease })
}
