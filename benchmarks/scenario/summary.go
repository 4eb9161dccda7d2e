package scenario

import (
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// Summary describes the same figure of several runs.
type Summary stat.Stat[time.Duration]

// Summarize returns the summary of values, which it does not change.
func Summarize(values []time.Duration) Summary { return Summary(stat.Of(values)) }

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
