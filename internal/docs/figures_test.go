package docs

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	// figure is a number with a unit, outside of code.
	figure  = regexp.MustCompile(`(?:^|[^\w.])(\d[\d,.]*[ -]?(?:(?:ns|µs|ms|s|min|h|minutes?|seconds?|hours?|days?|[KMG]iB)\b|%|times\b|percent\b))`)
	comment = regexp.MustCompile(`(?s)<!--.*?-->`)
	item    = regexp.MustCompile(`(?m)^(?:\* |\d+\. )`)
)

// block is a part of a document between empty lines: a heading, a paragraph, a
// list, a table or code.
type block string

func (b block) isHeading() bool { return strings.HasPrefix(string(b), "#") }
func (b block) isTable() bool   { return strings.HasPrefix(string(b), "|") }
func (b block) isList() bool    { return item.MatchString(string(b)) }

// pieces returns what must prove its own figures: a row of a table, an item of a
// list, else the whole block.
func (b block) pieces() (pieces []string) {
	switch {
	case b.isTable():
		return slices.Collect(strings.Lines(string(b)))
	case b.isList():
		starts := item.FindAllStringIndex(string(b), -1)
		for i, start := range starts {
			end := len(b)
			if i+1 < len(starts) {
				end = starts[i+1][0]
			}
			pieces = append(pieces, string(b[start[0]:end]))
		}
		return append(pieces, string(b[:starts[0][0]]))
	}
	return []string{string(b)}
}

// proves reports whether text has a command that prints figures. Those that run
// everything print too much to find one in.
func proves(text string) bool {
	return slices.ContainsFunc(commands(text), func(command string) bool {
		return command != "go test ./..." && command != "make test" && !strings.HasPrefix(command, "make check")
	})
}

// unprovenFigure is a figure beside which no command stands, and the line that its
// paragraph, row or item begins with.
type unprovenFigure struct{ figure, line string }

// given returns the figures that were not measured but chosen or known, by document:
// the lines of given.txt, each a path, a figure and whence it is, with tabs between.
func given(t *testing.T) map[string][]string {
	t.Helper()
	figures := map[string][]string{}
	for line := range strings.Lines(read(t, filepath.Join("internal", "docs", "given.txt"))) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, fields, 3, line)
		figures[fields[0]] = append(figures[fields[0]], fields[1])
	}
	return figures
}

// unproven returns the figures of a document beside which no command stands that
// prints them. Beside is in the same paragraph, row or item, or in a paragraph or
// code right before or after it, under the same heading.
func unproven(document string) (found []unprovenFigure) {
	blocks := blocksOf(document)
	beside := func(i int) bool {
		return i >= 0 && i < len(blocks) && !blocks[i].isHeading() && !blocks[i].isTable() && !blocks[i].isList() && proves(string(blocks[i]))
	}
	for i, b := range blocks {
		if beside(i-1) || beside(i+1) {
			continue
		}
		for _, piece := range b.pieces() {
			if proves(piece) {
				continue
			}
			for _, f := range figure.FindAllStringSubmatch(prose(piece), -1) {
				first, _, _ := strings.Cut(strings.TrimSpace(piece), "\n")
				found = append(found, unprovenFigure{f[1], first})
			}
		}
	}
	return found
}

// prose returns text without what is code or is not shown.
func prose(text string) string {
	return inline.ReplaceAllString(comment.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), "")
}

// blocksOf splits a document at empty lines, though not at those of a fence. A
// heading is a block of its own.
func blocksOf(document string) (blocks []block) {
	var current strings.Builder
	end := func() {
		if strings.TrimSpace(current.String()) != "" {
			blocks = append(blocks, block(current.String()))
		}
		current.Reset()
	}
	fenced := false
	for line := range strings.Lines(document) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		heading := !fenced && strings.HasPrefix(line, "#")
		empty := !fenced && strings.TrimSpace(line) == ""
		if heading || empty {
			end()
		}
		if !empty {
			current.WriteString(line)
		}
		if heading {
			end()
		}
	}
	end()
	return blocks
}

func TestBesideEveryFigureStandsItsCommand(t *testing.T) {
	known := given(t)
	check := func(path, document string) {
		stale := known[path]
		for _, f := range unproven(document) {
			assert.Contains(t, known[path], f.figure, "%s, in: %s\nNo command beside it prints this; if it is chosen or known, internal/docs/given.txt says whence.", path, f.line)
			stale = slices.DeleteFunc(slices.Clone(stale), func(figure string) bool { return figure == f.figure })
		}
		assert.Empty(t, stale, "given.txt names figures that %s does not have", path)
		delete(known, path)
	}
	for _, path := range documents(t) {
		if strings.HasPrefix(path, filepath.Join("benchmarks", "results")+string(filepath.Separator)) {
			continue // made by a program, which says at the head by which commands
		}
		check(path, read(t, path))
	}
	for path, said := range packageComments(t) {
		check(path, said)
	}
	assert.Empty(t, known, "given.txt names what is no document")
}

// packageComments returns what the packages of the library say of themselves, as
// a document.
func packageComments(t *testing.T) map[string]string {
	said := map[string]string{}
	for _, folder := range packages {
		path := filepath.Join(folder, "doc.go")
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.ParseComments|parser.PackageClauseOnly)
		require.NoError(t, err)
		require.NotEmpty(t, file.Doc.Text(), path)
		said[path] = strings.ReplaceAll(file.Doc.Text(), "\t", "    ")
	}
	return said
}

func TestAFigureWithoutACommandIsFound(t *testing.T) {
	document := "# 3 s\nIt took 3 s, 1.5 times as long.\n\n" +
		"| a | 20 % |\n| `go test ./p -v` | 7 ms |\n| b | 8 KiB |\n\n" +
		"* one 4 s\n* two 5 s, `make bench`\n\n" +
		"`6 s` of 5 replicas, v1.37.2\n\n```\n7 s\n\n8 s\n```\n\n" +
		"Everything is `make test`: 10 s\n\nThis took 11 s:\n\n    make long\n\nand 12 s\n\n# Next\n13 s <!-- 14 s -->\n"
	var found []string
	for _, f := range unproven(document) {
		found = append(found, f.figure)
	}
	assert.Equal(t, []string{"3 s", "3 s", "1.5 times", "20 %", "8 KiB", "4 s", "10 s", "13 s"}, found)
}
