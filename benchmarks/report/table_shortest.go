package report

import (
	"slices"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// shortest shows the shortest lease that held for each peer in each run, the
// shortest of all first and those without one last.
func shortest(d *document, in Input) {
	type found struct {
		result.Sample
		file string
	}
	var samples []found
	for _, f := range in.Files {
		for _, s := range f.Samples {
			if s.Measure == result.Shortest {
				samples = append(samples, found{s, f.Name})
			}
		}
	}
	if len(samples) == 0 {
		return
	}
	d.heading(2, "The shortest lease that holds")
	d.paragraph("%s", "Pairs of contenders go through windows in which one API server after another is silent while the virtual IP goes on naming it. "+
		"A lease holds if in every window that it was tried in no leadership was lost. "+
		"Trials, silent servers and losses are those of the whole search, leases that are too short included.")
	slices.SortStableFunc(samples, func(a, b found) int {
		la, lb := lease(a.Timing), lease(b.Timing)
		switch {
		case la == lb:
			return 0
		case lb == 0 || la != 0 && la < lb:
			return -1
		}
		return 1
	})
	var rows [][]string
	for _, s := range samples {
		row := []string{s.Peer, "–"}
		if s.Timing != "" {
			row[1] = "**" + timingWords(s.Timing) + "**"
		}
		for _, figure := range []string{"longest_lost_seconds", "window_seconds", "silence_seconds", "trials_total", "faults_total", "lost_total"} {
			cell := "–"
			if v, known := s.Figures[figure]; known {
				cell = value(figure, v)
			}
			row = append(row, cell)
		}
		rows = append(rows, append(row, s.Failed+s.Limit, s.file))
	}
	d.table([]string{"peer", "shortest that holds", ">longest lost", ">window", ">silence", ">trials", ">silent servers", ">lost", "note", "run"}, rows)
}
