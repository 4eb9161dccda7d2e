package docs

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// logged is one place at which a package logs.
type logged struct {
	message   string
	verbosity string // "" where it always is printed
	keys      []string
	where     string
}

// entry is a row of the log table of docs/operate.md.
type entry struct {
	message   string // one that ends in … stands for all that begin so
	verbosity string
	keys      []string
}

func (e entry) speaksOf(l logged) bool {
	if beginning, cut := strings.CutSuffix(e.message, "…"); cut {
		return strings.HasPrefix(l.message, strings.TrimSpace(beginning))
	}
	return e.message == l.message
}

// logCalls finds the calls of a logger's Info and Error in the Go files under a
// folder: calls whose message, the first argument or the one after an error, is
// a constant string.
func logCalls(t *testing.T, folder string) (calls []logged) {
	t.Helper()
	files := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				if l, ok := logCall(call); ok {
					l.where = files.Position(call.Pos()).String()
					calls = append(calls, l)
				}
			}
			return true
		})
		return nil
	}))
	return calls
}

// logCall takes a call for a line of the log: anything named as the methods of a
// logger and the functions of klog are, with an argument in the right place.
func logCall(call *ast.CallExpr) (l logged, ok bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return l, false
	}
	if of, named := method.X.(*ast.Ident); named && (of.Name == "assert" || of.Name == "require") {
		return l, false // a conformance suite asserts outside of test files
	}
	at := map[string]int{"Info": 0, "InfoS": 0, "Warning": 0, "Infof": 0, "Warningf": 0, "Errorf": 0, "Error": 1, "ErrorS": 1}
	place, known := at[method.Sel.Name]
	if pkg, isName := method.X.(*ast.Ident); !known || len(call.Args) <= place || (isName && (pkg.Name == "fmt" || pkg.Name == "errors")) {
		return l, false
	}
	if l.message, ok = text(call.Args[place]); !ok {
		// A message that is computed cannot be looked up in a table.
		l.message = "(computed)"
	}
	if v, isCall := method.X.(*ast.CallExpr); isCall {
		if level, isV := v.Fun.(*ast.SelectorExpr); isV && level.Sel.Name == "V" && len(v.Args) == 1 {
			if number, isNumber := v.Args[0].(*ast.BasicLit); isNumber {
				l.verbosity = "v" + number.Value
			}
		}
	}
	if place == 1 {
		l.keys = append(l.keys, "err")
	}
	for i := place + 1; i < len(call.Args); i += 2 {
		if key, isText := text(call.Args[i]); isText {
			l.keys = append(l.keys, key)
		}
	}
	return l, true
}

// text returns what a string literal, or several joined by +, says.
func text(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			return constant.StringVal(constant.MakeFromLiteral(e.Value, e.Kind, 0)), true
		}
	case *ast.BinaryExpr:
		left, one := text(e.X)
		right, two := text(e.Y)
		return left + right, one && two && e.Op == token.ADD
	}
	return "", false
}

var (
	quoted    = regexp.MustCompile("`([^`]+)`")
	verbosity = regexp.MustCompile(`\((v\d+)\b`)
)

// logEntries reads the table whose head begins with "line".
func logEntries(document string) (entries []entry) {
	for _, row := range table(document, "line") {
		named := quoted.FindAllStringSubmatch(row[0], -1)
		if len(named) == 0 {
			continue
		}
		e := entry{message: named[0][1]}
		if v := verbosity.FindStringSubmatch(row[0]); v != nil {
			e.verbosity = v[1]
		}
		for _, key := range named[1:] {
			e.keys = append(e.keys, key[1])
		}
		entries = append(entries, e)
	}
	return entries
}

// faults compares the log with its table, both ways.
func faults(calls []logged, entries []entry) (found []string) {
	spoken := map[int]bool{}
	for _, l := range calls {
		at := slices.IndexFunc(entries, func(e entry) bool { return e.speaksOf(l) })
		if at < 0 {
			found = append(found, l.where+": no entry for "+l.message)
			continue
		}
		spoken[at] = true
		e := entries[at]
		if e.verbosity != l.verbosity {
			found = append(found, l.where+": printed from \""+l.verbosity+"\", its entry says \""+e.verbosity+"\": "+l.message)
		}
		for _, key := range e.keys {
			if !slices.Contains(l.keys, key) && !slices.ContainsFunc(calls, func(other logged) bool {
				return e.speaksOf(other) && slices.Contains(other.keys, key)
			}) {
				found = append(found, l.where+": the entry names "+key+", which the line does not have: "+l.message)
			}
		}
	}
	for i, e := range entries {
		if !spoken[i] {
			found = append(found, "docs/operate.md: nothing logs "+e.message)
		}
	}
	return found
}

func TestEveryLineOfTheLogHasAnEntry(t *testing.T) {
	document := read(t, "docs/operate.md")
	entries := logEntries(document)
	require.NotEmpty(t, entries)
	var calls []logged
	for _, pkg := range []string{"leaderelection", "resourcelock", "dialer", "internal/bounded"} {
		found := logCalls(t, filepath.Join(root, pkg))
		calls = append(calls, found...)
	}
	require.Greater(t, len(calls), 10)
	assert.Empty(t, strings.Join(faults(calls, entries), "\n"))
}

func TestALineWithoutAnEntryIsFound(t *testing.T) {
	folder := t.TempDir()
	source := "package p\nfunc f() { log.V(2).Info(\"One \"+\"thing\", \"err\", err); l.Error(nil, \"Other\"); l.Info(x); fmt.Errorf(\"no\") }\n"
	require.NoError(t, os.WriteFile(filepath.Join(folder, "p.go"), []byte(source), 0o600))
	calls := logCalls(t, folder)
	require.Len(t, calls, 3)

	entries := logEntries("| line | means |\n|---|---|\n| `One thing` (v2; `err`) | . |\n| `Oth…` | . |\n| `(computed)` | . |\n")
	assert.Empty(t, faults(calls, entries))
	assert.Len(t, faults(calls, entries[1:]), 1)
	assert.Len(t, faults(calls[1:], entries), 1)
	assert.Len(t, faults(calls, []entry{{message: "One thing"}, entries[1], entries[2]}), 1, "the verbosity")
	assert.Len(t, faults(calls, []entry{{"One thing", "v2", []string{"took"}}, entries[1], entries[2]}), 1, "the key")
}

func TestEveryReasonHasAnEntry(t *testing.T) {
	var said []string
	for _, row := range table(read(t, "docs/operate.md"), "reason") {
		for _, name := range quoted.FindAllStringSubmatch(row[0], -1) {
			said = append(said, name[1])
		}
	}
	assert.ElementsMatch(t, reasons(t), said)
	var listed []string
	for _, reason := range leaderelection.Reasons() {
		listed = append(listed, string(reason))
	}
	assert.ElementsMatch(t, reasons(t), listed, "endings in leaderelection/reason.go")
}

// reasons returns the values of the constants of type leaderelection.Reason.
func reasons(t *testing.T) (all []string) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "leaderelection/reason.go"), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok {
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Reason" {
				value, isText := text(spec.Values[0])
				require.True(t, isText, spec.Names)
				all = append(all, value)
			}
		}
		return true
	})
	require.Contains(t, all, string(leaderelection.ReasonInDoubt))
	return all
}
