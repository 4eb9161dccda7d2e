package matrix

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// Check is one figure and its bound.
type Check struct {
	// Name says what was measured.
	Name string
	// Bound is what the figure may be at most.
	Bound time.Duration
	// Measured is the figure; not known is what should have happened and did not.
	Measured scenario.Figure
}

// Holds reports whether the figure is known and at most its bound.
func (c Check) Holds() bool { return c.Measured.Known && c.Measured.Value <= c.Bound }

// Verdict is what a cell comes to.
type Verdict string

// The verdicts. Only Held is a pass.
const (
	// Held: every figure is within its bound, and the lease is where it should be.
	Held Verdict = "held"
	// Broken: it is not.
	Broken Verdict = "OVER"
	// Untested: the column was not connected to the victim when the fault came.
	Untested Verdict = "untested"
)

// Cell is a fault in a column: what applies and what was measured.
type Cell struct {
	Fault  string
	Column Column
	// Applies says in words what is promised.
	Applies string
	Checks  []Check
	// Wrong says what happened that must not, whatever the figures.
	Wrong []string
	// Steered is that the column was connected to the victim when the fault came,
	// or keeps no connection that could be.
	Steered bool
}

// Verdict judges the cell. One without a check proves nothing.
func (c Cell) Verdict() Verdict {
	if len(c.Wrong) > 0 {
		return Broken
	}
	for _, check := range c.Checks {
		if !check.Holds() {
			return Broken
		}
	}
	if !c.Steered || len(c.Checks) == 0 {
		return Untested
	}
	return Held
}

// Passed reports whether every cell was held, and there is one.
func Passed(cells []Cell) bool {
	for _, c := range cells {
		if c.Verdict() != Held {
			return false
		}
	}
	return len(cells) > 0
}
