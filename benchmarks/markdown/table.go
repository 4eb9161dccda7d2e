// Package markdown writes tables that read well as they are.
package markdown

import "strings"

// Table returns rows below a head. Columns whose name begins with '>' stand to
// the right, as figures do.
func Table(head []string, rows [][]string) string {
	var text strings.Builder
	names, rules := make([]string, len(head)), make([]string, len(head))
	for i, name := range head {
		var figure bool
		names[i], figure = strings.CutPrefix(name, ">")
		rules[i] = "---"
		if figure {
			rules[i] = "--:"
		}
	}
	for _, cells := range append([][]string{names, rules}, rows...) {
		for _, c := range cells {
			text.WriteString("| " + InCell(c) + " ")
		}
		text.WriteString("|\n")
	}
	return text.String()
}

// InCell keeps text on one line and inside its cell.
func InCell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}
