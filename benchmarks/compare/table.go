package compare

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// told are the figures that a table and a line of progress show, in order.
var told = []string{
	"takeover_seconds", "handover_seconds", "kept", "renewal_late_seconds", "loss_after_seconds", "overlap_seconds", "connections_total",
}

// summary is one sample in one line.
func summary(s result.Sample) string {
	if s.Failed != "" {
		return "failed: " + s.Failed
	}
	var words []string
	for _, name := range told {
		if value, known := s.Figures[name]; known {
			words = append(words, fmt.Sprintf("%s %.3g", name, value))
		}
	}
	return strings.Join(words, ", ")
}

// Table writes the medians of the samples: a row for each timing, scenario and
// peer, in the order in which they first appear by that sorting, with the
// number of runs. A figure that no run of a row shows is "-".
func Table(out io.Writer, samples []result.Sample) error {
	type row struct{ timing, scenario, peer string }
	groups := map[row][]result.Sample{}
	var rows []row
	for _, s := range samples {
		if s.Measure != result.Failover || strings.HasPrefix(s.Limit, NotApplicable) {
			continue
		}
		r := row{s.Timing, s.Case, s.Peer}
		if groups[r] == nil {
			rows = append(rows, r)
		}
		groups[r] = append(groups[r], s)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return strings.Compare(a.timing+"\x00"+a.scenario+"\x00"+a.peer, b.timing+"\x00"+b.scenario+"\x00"+b.peer)
	})
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "timing\tscenario\tpeer\tn\tfailed\t%s\n", strings.Join(told, "\t"))
	for _, r := range rows {
		failed := 0
		for _, s := range groups[r] {
			if s.Failed != "" {
				failed++
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d", r.timing, r.scenario, r.peer, len(groups[r]), failed)
		for _, name := range told {
			fmt.Fprintf(w, "\t%s", median(groups[r], name))
		}
		fmt.Fprintln(w)
	}
	return w.Flush() // what was wrong with out is remembered until here
}

// median is the median of the figure of that name, the lower of two.
func median(samples []result.Sample, name string) string {
	var values []float64
	for _, s := range samples {
		if value, known := s.Figures[name]; known {
			values = append(values, value)
		}
	}
	if len(values) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g", stat.Of(values).Median)
}
