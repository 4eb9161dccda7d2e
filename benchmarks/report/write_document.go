package report

import (
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/markdown"
)

// document is Markdown as it is written.
type document struct{ text strings.Builder }

func (d *document) heading(level int, words string) {
	fmt.Fprintf(&d.text, "%s %s\n\n", strings.Repeat("#", level), words)
}

func (d *document) paragraph(format string, args ...any) {
	fmt.Fprintf(&d.text, format+"\n\n", args...)
}

// list writes one line an item, and nothing for none.
func (d *document) list(items []string) {
	for _, item := range items {
		fmt.Fprintf(&d.text, "* %s\n", item)
	}
	if len(items) > 0 {
		d.text.WriteByte('\n')
	}
}

// table writes rows below a head: see [markdown.Table].
func (d *document) table(head []string, rows [][]string) {
	d.text.WriteString(markdown.Table(head, rows) + "\n")
}

// image shows the drawing.
func (d *document) image(from drawing) { d.paragraph("![%s](%s)", from.title, from.file) }

// statCells are the cells of a figure that statHead names.
func statCells(figure string, s Stat) []string {
	if s.N == 0 {
		return []string{"0", "–", "–", "–", "–"}
	}
	return []string{fmt.Sprint(s.N), value(figure, s.Min), value(figure, s.Median), value(figure, s.P99), value(figure, s.Max)}
}

var statHead = []string{">n", ">min", ">median", ">p99", ">max"}

// brief writes a figure in one cell: median and spread.
func brief(figure string, s Stat) string {
	switch {
	case s.N == 0:
		return "–"
	case s.N == 1 || s.Min == s.Max:
		return value(figure, s.Median)
	}
	return fmt.Sprintf("%s (%s … %s)", value(figure, s.Median), value(figure, s.Min), value(figure, s.Max))
}
