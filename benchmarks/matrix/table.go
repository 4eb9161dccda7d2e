package matrix

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/markdown"
)

// Table writes the results as Markdown: a row for each fault, a column for each
// column, in each cell what was measured and the bound that applies; then what
// each fault is, and each cell that is no pass, in words. Columns that no result
// has are left out; a cell that was not played is empty.
func Table(out io.Writer, results []Result) error {
	var text strings.Builder
	var columns []Column
	for _, c := range Columns() {
		if slices.ContainsFunc(results, func(r Result) bool { return cellOf(r, c) != nil }) {
			columns = append(columns, c)
		}
	}
	head := []string{"fault"}
	for _, c := range columns {
		head = append(head, c.String())
	}
	var rows [][]string
	for _, r := range results {
		row := []string{"`" + r.Fault.Name + "`"}
		for _, c := range columns {
			words := ""
			if cell := cellOf(r, c); cell != nil {
				words = cell.words()
			}
			row = append(row, words)
		}
		rows = append(rows, row)
	}
	text.WriteString(markdown.Table(head, rows))
	text.WriteString("\n" + legend + "\n\n")
	for _, r := range results {
		fmt.Fprintf(&text, "- `%s`: %s.\n", r.Fault.Name, r.Fault.Text)
	}
	text.WriteString("\n")
	text.WriteString(summary(results))
	_, err := io.WriteString(out, text.String())
	return err
}

const legend = `Each figure stands before its bound. Leader, and a leader of client-go's elector with this
library's lock: how late a renewal was at most, with the lease kept; or, where no server can be reached, from the last renewal to the end of its work; or, where another has taken the lease, until when its work's writes were still executed,
when its successor's were first, and when it knew. Candidate: from
the end of the dead leader's lease to its own work. Watch and informer: how long a change went unseen at most.
Writer: the longest update, and the longest time in which none succeeded.`

func cellOf(r Result, c Column) *Cell {
	i := slices.IndexFunc(r.Cells, func(cell Cell) bool { return cell.Column == c })
	if i < 0 {
		return nil
	}
	return &r.Cells[i]
}

// words are the cell as it stands in the table.
func (c Cell) words() string {
	var words []string
	for _, check := range c.Checks {
		sign := "≤"
		if !check.Holds() {
			sign = ">"
		}
		words = append(words, fmt.Sprintf("%s %s %s", shown(check), sign, short(check.Bound)))
	}
	text := strings.Join(append(words, c.Wrong...), ", ")
	if v := c.Verdict(); v != Held {
		return strings.TrimSpace(fmt.Sprintf("**%s** %s", v, text))
	}
	return text
}

func shown(c Check) string {
	if !c.Measured.Known {
		return "never"
	}
	return short(c.Measured.Value).String()
}

// summary says how many cells were held, and of the others what came of each.
func summary(results []Result) string {
	var text strings.Builder
	held, all := 0, 0
	var took time.Duration
	for _, r := range results {
		took += r.Took
		for _, c := range r.Cells {
			all++
			if c.Verdict() == Held {
				held++
				continue
			}
			fmt.Fprintf(&text, "- %s in %s: %s", c.Fault, c.Column, c.Verdict())
			for _, check := range c.Checks {
				fmt.Fprintf(&text, "; %s: %s, bound %v", check.Name, shown(check), short(check.Bound))
			}
			for _, wrong := range c.Wrong {
				text.WriteString("; " + wrong)
			}
			text.WriteString("\n")
		}
	}
	return fmt.Sprintf("%d of %d cells held, in %v.\n\n", held, all, took.Round(time.Second)) + text.String()
}

func short(d time.Duration) time.Duration {
	if d > 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
