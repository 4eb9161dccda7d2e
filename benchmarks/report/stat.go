package report

import (
	"math"
	"slices"
)

// Stat describes the values of one figure over several samples.
type Stat struct {
	// N is how many samples showed the figure; with 0 the rest is zero.
	N int
	// Min and Max are the spread; Median and P99 lie in it.
	Min, Median, P99, Max float64
}

// Describe returns the Stat of values, which it does not change. Median and
// P99 are values that occurred (nearest rank): below 100 values P99 is the
// largest.
func Describe(values []float64) Stat {
	if len(values) == 0 {
		return Stat{}
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := func(share float64) float64 {
		return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
	}
	return Stat{N: len(sorted), Min: sorted[0], Median: rank(0.5), P99: rank(0.99), Max: sorted[len(sorted)-1]}
}
