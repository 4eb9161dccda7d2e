package report

import (
	"fmt"
	"strings"
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

// table writes rows below a head. Columns whose name begins with '>' stand to
// the right, as figures do.
func (d *document) table(head []string, rows [][]string) {
	names, rules := make([]string, len(head)), make([]string, len(head))
	for i, name := range head {
		var figure bool
		names[i], figure = strings.CutPrefix(name, ">")
		rules[i] = "---"
		if figure {
			rules[i] = "--:"
		}
	}
	d.row(names)
	d.row(rules)
	for _, row := range rows {
		d.row(row)
	}
	d.text.WriteByte('\n')
}

func (d *document) row(cells []string) {
	for _, c := range cells {
		d.text.WriteString("| " + inCell(c) + " ")
	}
	d.text.WriteString("|\n")
}

// inCell keeps text on one line and inside its cell.
func inCell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
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
