package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// row is one line of the closing table.
type row struct {
	scenario, fleet, lease, takeover, leaderless, overlap string
}

var heading = row{"scenario", "fleet", "the holder's lease", "took over", "no leader", "two leaders"}

// rowOf says in words what the figures are.
func rowOf(f figures, lease time.Duration) row {
	r := row{scenario: f.scenario, fleet: f.fleet, takeover: "-", leaderless: "-", overlap: "-"}
	if f.fault.IsZero() {
		r.lease = "not played"
		return r
	}
	s, _ := scenarioNamed(f.scenario)
	switch {
	case f.lost:
		r.lease = "LOST"
	case f.ended && s.asked:
		r.lease = "released"
	case f.ended:
		r.lease = "ran out"
	case f.settled(lease):
		r.lease = "kept"
	default:
		r.lease = "kept so far"
	}
	switch {
	case f.heir != "":
		r.takeover = takeoverText(f)
	case !f.kept():
		r.takeover = "nobody yet"
	}
	r.leaderless = orNever(f.leaderless)
	r.overlap = orNever(f.overlap)
	return r
}

func orNever(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return seconds(d)
}

// writeTable prints the figures in columns.
func writeTable(out io.Writer, p paint, all []figures, lease time.Duration) {
	rows := []row{heading}
	for _, f := range all {
		rows = append(rows, rowOf(f, lease))
	}
	widths := make([]int, len(heading.cells()))
	for _, r := range rows {
		for i, cell := range r.cells() {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for n, r := range rows {
		if n > 0 && r.scenario == rows[n-1].scenario {
			r.scenario = ""
		}
		var line strings.Builder
		for i, cell := range r.cells() {
			text := fmt.Sprintf("%-*s", widths[i], cell)
			switch {
			case n == 0:
				text = p.bold(text)
			case i == 1:
				text = p.fleet(r.fleet, text)
			case cell == "LOST":
				text = p.fault(text)
			}
			line.WriteString(text + "  ")
		}
		fmt.Fprintln(out, strings.TrimRight(line.String(), " "))
	}
}

func (r row) cells() []string {
	return []string{r.scenario, r.fleet, r.lease, r.takeover, r.leaderless, r.overlap}
}
