package scenario

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Summary describes the same figure of several runs.
type Summary struct {
	// N is how many runs showed the figure; with 0 the rest is zero.
	N                int
	Median, P99, Max time.Duration
}

// Summarize returns the summary of values, which it does not change. Median
// and P99 are values that occurred (nearest rank): below 100 values P99 is the
// largest.
func Summarize(values []time.Duration) Summary {
	if len(values) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := func(share float64) time.Duration {
		return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
	}
	return Summary{N: len(sorted), Median: rank(0.5), P99: rank(0.99), Max: sorted[len(sorted)-1]}
}

// String is one value where there is but one, else n, median, p99 and max.
func (s Summary) String() string {
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	switch s.N {
	case 0:
		return "none"
	case 1:
		return ms(s.Max).String()
	default:
		return fmt.Sprintf("n=%d median %v p99 %v max %v", s.N, ms(s.Median), ms(s.P99), ms(s.Max))
	}
}

// Row is one figure by name.
type Row struct {
	Name   string
	Figure Figure
}

// Rows returns the figures that are durations, in the order in which a reader
// wants them, the same names for every run.
func (f Figures) Rows() []Row {
	return []Row{
		{"takeover, after the lease ended", f.Takeover},
		{"from the fault to the next leader", f.Outage},
		{"from the end of the old work to the next leader", f.AfterWork},
		{"from the release to the next leader", f.AfterRelease},
		{"from the fault to the loss of the lease", f.LossAfter},
		{"renewal late by at most", f.RenewalLate},
		{"two leaders at once", Figure{Value: f.Overlap, Known: true}},
	}
}
