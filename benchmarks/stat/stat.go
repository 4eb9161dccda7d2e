// Package stat describes the values of one figure over several runs.
package stat

import (
	"cmp"
	"math"
	"slices"
)

// Stat is the spread of values and what lies in it.
type Stat[T cmp.Ordered] struct {
	// N is how many there are; with 0 the rest is zero.
	N                     int
	Min, Median, P99, Max T
}

// Of describes values, which it does not change. Median and P99 are values that
// occurred (nearest rank): below 100 values P99 is the largest.
func Of[T cmp.Ordered](values []T) (s Stat[T]) {
	if s.N = len(values); s.N == 0 {
		return s
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := func(share float64) T { return sorted[max(0, int(math.Ceil(share*float64(s.N)))-1)] }
	s.Min, s.Median, s.P99, s.Max = sorted[0], rank(0.5), rank(0.99), sorted[s.N-1]
	return s
}
