package main

import (
	"fmt"
	"io"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/markdown"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// table is what came of one scenario, a column for each who contended.
type table struct {
	scenario scenario.Scenario
	columns  []column
}

type column struct {
	name    string
	runs    []scenario.Figures
	refused error // why it did not contend
}

// print writes the table in Markdown, which reads well as it is.
func (t table) print(out io.Writer) error {
	rows := []struct {
		name string
		cell func([]scenario.Figures) string
	}{
		{"time without a leader", timeWithoutALeader},
		{"from the end of the lease to the next leader", func(runs []scenario.Figures) string {
			return spread(runs, func(f scenario.Figures) scenario.Figure { return f.Takeover })
		}},
		{"leases lost", func(runs []scenario.Figures) string {
			lost := 0
			for _, f := range runs {
				lost += f.Lost
			}
			return fmt.Sprintf("%d in %s", lost, times(len(runs), "run"))
		}},
		{"requests a minute of the standby: for the Lease", func(runs []scenario.Figures) string {
			return perMinute(runs, func(a scenario.Asked) int { return a.Lease })
		}},
		{"for anything else", func(runs []scenario.Figures) string {
			return perMinute(runs, func(a scenario.Asked) int { return a.Other })
		}},
	}
	head := []string{"median / max"}
	for _, c := range t.columns {
		head = append(head, c.name)
	}
	var cells [][]string
	for _, r := range rows {
		row := []string{r.name}
		for _, c := range t.columns {
			cell := "-"
			if len(c.runs) > 0 {
				cell = r.cell(c.runs)
			}
			row = append(row, cell)
		}
		cells = append(cells, row)
	}
	text := fmt.Sprintf("\n%s: %s\n\n%s", t.scenario.Name, t.scenario.Text, markdown.Table(head, cells))
	for _, c := range t.columns {
		if c.refused != nil {
			text += fmt.Sprintf("\n%s cannot contend with this timing: %v\n", c.name, c.refused)
		}
	}
	_, err := io.WriteString(out, text+"\n")
	return err
}

// timeWithoutALeader is that of all runs; one in which nobody led any more at the end
// is counted up to there.
func timeWithoutALeader(runs []scenario.Figures) string {
	cell := spread(runs, func(f scenario.Figures) scenario.Figure { return scenario.Figure{Value: f.Leaderless, Known: true} })
	atEnd := 0
	for _, f := range runs {
		if f.LeaderlessAtEnd {
			atEnd++
		}
	}
	if atEnd > 0 {
		cell += fmt.Sprintf(", and longer in %d of %s", atEnd, times(len(runs), "run"))
	}
	return cell
}

// spread is median and maximum of a figure, and one value where there is but one.
func spread(runs []scenario.Figures, figure func(scenario.Figures) scenario.Figure) string {
	var values []time.Duration
	for _, f := range runs {
		if v := figure(f); v.Known {
			values = append(values, v.Value)
		}
	}
	s := scenario.Summarize(values)
	switch s.N {
	case 0:
		return "-"
	case 1:
		return short(s.Max)
	}
	return short(s.Median) + " / " + short(s.Max)
}

// perMinute is the rate over all runs together.
func perMinute(runs []scenario.Figures, count func(scenario.Asked) int) string {
	var all scenario.Asked
	for _, f := range runs {
		all = all.Plus(f.Standby)
	}
	if all.Over <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(count(all))/all.Over.Minutes())
}

// inWords is one run in one line.
func inWords(f scenario.Figures) string {
	next := "nobody else led"
	if f.Successor != "" {
		next = "then " + f.Successor + " led"
	}
	if f.LeaderlessAtEnd {
		next = "and nobody at the end"
	}
	return fmt.Sprintf("%s led; without a leader for %s; %s; %s lost", f.Leader, short(f.Leaderless), next, times(f.Lost, "lease"))
}

// times is "1 run" or "2 runs".
func times(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// short is a duration to some three digits, in seconds or milliseconds.
func short(d time.Duration) string {
	switch {
	case d.Abs() >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d.Abs() >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}
