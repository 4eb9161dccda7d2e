package report

import (
	"fmt"
	"math"
)

// Verdict is what became of a target.
type Verdict string

// The verdicts there are.
const (
	Met         Verdict = "met"
	Missed      Verdict = "missed"
	NotMeasured Verdict = "not measured"
	// NothingToShow: it was measured, and the case that the target speaks of did
	// not come up.
	NothingToShow Verdict = "nothing to show"
)

// Target is one thing that the benchmarks must show, under one condition.
type Target struct {
	// Name is what is compared, Wanted the bound on it in words.
	Name, Wanted string
	// Under says with which scenario, timing or scale.
	Under string
	// Value is what was measured, "–" if it was not.
	Value   string
	Verdict Verdict
	// Basis says what Value was computed from, or why there is none.
	Basis string
}

// The targets' bounds.
const (
	takeoverTimes    = 40
	handoverTimes    = 10
	floorTimes       = 2
	standbyShare     = 0.1
	manyLeases       = 1000
	mostConnections  = 8
	mostHeapPerLease = 25 << 10
)

// Targets judges the input. Each target is there at least once, measured or
// not, always in the same order.
func Targets(in Input) []Target {
	var all []Target
	for _, of := range [][]Target{
		takeovers(in), handovers(in), takeoverFloors(in), handoverFloors(in), ends(in), rollouts(in), losses(in), standbys(in), connections(in), heap(in), allocations(in),
	} {
		all = append(all, of...)
	}
	return all
}

// unmeasured returns t for when there is nothing to judge.
func unmeasured(t Target, why string) Target {
	t.Value, t.Verdict, t.Basis = "–", NotMeasured, why
	return t
}

// judge sets the verdict by a condition.
func judge(t Target, met bool) Target {
	t.Verdict = Missed
	if met {
		t.Verdict = Met
	}
	return t
}

// timesCloser judges the target that the median of theirs is at least so many
// times that of ours. A median of ours that is not positive is a miss: what it
// measures happened before it might. One of theirs gives nothing to compare.
func timesCloser(t Target, theirs, us Stat, times float64) Target {
	basis := fmt.Sprintf("medians %s (n=%d) and %s (n=%d)", seconds(theirs.Median), theirs.N, seconds(us.Median), us.N)
	switch {
	case theirs.N == 0 || us.N == 0:
		return unmeasured(t, fmt.Sprintf("%s n=%d, %s n=%d", baseline, theirs.N, ours, us.N))
	case us.Median <= 0:
		t.Value, t.Verdict, t.Basis = "no ratio", Missed, basis+": ours is not positive"
		return t
	case theirs.Median <= 0:
		return unmeasured(t, basis+": theirs is not positive")
	}
	ratio := theirs.Median / us.Median
	t.Value, t.Basis = floor(ratio)+" times", basis
	return judge(t, ratio >= times)
}

// share judges the target that the median of ours is at most that share of
// theirs. format writes a median.
func share(t Target, theirs, us Stat, most float64, format func(float64) string) Target {
	if theirs.N == 0 || us.N == 0 {
		return unmeasured(t, fmt.Sprintf("%s n=%d, %s n=%d", baseline, theirs.N, ours, us.N))
	}
	t.Basis = fmt.Sprintf("medians %s (n=%d) and %s (n=%d)", format(theirs.Median), theirs.N, format(us.Median), us.N)
	if theirs.Median <= 0 {
		return unmeasured(t, t.Basis+": theirs is not positive")
	}
	ratio := us.Median / theirs.Median
	t.Value = ceil(ratio)
	return judge(t, ratio <= most)
}

// atMost judges the target that the largest value is at most a bound.
func atMost(t Target, s Stat, most float64, figure string) Target {
	if s.N == 0 {
		return unmeasured(t, "no sample has "+figure)
	}
	t.Value = value(figure, s.Max)
	t.Basis = fmt.Sprintf("largest of n=%d, median %s", s.N, value(figure, s.Median))
	return judge(t, s.Max <= most)
}

// floor writes a ratio that must be large, rounded down, so that 39.99 does
// not read as 40.
func floor(ratio float64) string {
	if ratio >= 100 {
		return fmt.Sprintf("%.0f", math.Floor(ratio))
	}
	return fmt.Sprintf("%.1f", math.Floor(ratio*10)/10)
}

// ceil writes a share that must be small, rounded up.
func ceil(ratio float64) string { return fmt.Sprintf("%.3f", math.Ceil(ratio*1000)/1000) }
