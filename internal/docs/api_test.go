package docs

import (
	"flag"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// update has the file of the API written anew: go test ./internal/docs -run
// TheAPI -args -update.
var update = flag.Bool("update", false, "write api.txt anew")

// written has what the packages of the library export, a line for each name, field
// and method, so that a change of it is seen before it is released.
const written = "internal/docs/api.txt"

func TestTheAPIIsTheOneThatIsWrittenDown(t *testing.T) {
	var now []string
	for _, folder := range packages {
		now = append(now, exported(t, folder)...)
	}
	require.Greater(t, len(now), 200)
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join(root, written), []byte(strings.Join(now, "\n")+"\n"), 0o600))
	}
	removed, added := changes(strings.Split(strings.TrimSpace(read(t, written)), "\n"), now)
	assert.Empty(t, removed, "these are gone or have changed, which breaks users: say so in CHANGELOG.md under Changed or Removed, and run go test ./internal/docs -run TheAPI -args -update")
	assert.Empty(t, added, "these are new: run go test ./internal/docs -run TheAPI -args -update")
}

// changes returns the lines of before that are not in after, and the other way
// round.
func changes(before, after []string) (removed, added []string) {
	for _, line := range before {
		if !slices.Contains(after, line) {
			removed = append(removed, line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			added = append(added, line)
		}
	}
	return removed, added
}

func TestAChangedSignatureIsFound(t *testing.T) {
	removed, added := changes([]string{"p: func A(x int)", "p: func B()"}, []string{"p: func A(x string)", "p: func B()"})
	assert.Equal(t, []string{"p: func A(x int)"}, removed)
	assert.Equal(t, []string{"p: func A(x string)"}, added)
	assert.Equal(t, []string{
		"p: T struct", "p: T.A int", "p: T.E (embedded)", "p: I interface", "p: I.M func(a int) error", "p: func (t *T) Do()", "p: const C T = \"c\"", "p: D = E",
	}, exportedBy(t, "p", "package p\ntype T struct { A, b int; E }\ntype I interface { M(a int) error }\n// Do does.\nfunc (t *T) Do() { t.b++ }\nfunc (u unseen) Do() {}\nconst C T = \"c\"\ntype D = E\nvar u = 1\n"))
}

// exported returns a line for each name, field and method that the package in a
// folder exports, in order.
func exported(t *testing.T, folder string) (lines []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		lines = append(lines, exportedBy(t, folder, string(source))...)
	}
	slices.Sort(lines)
	return slices.Compact(lines) // one file for each operating system
}

func exportedBy(t *testing.T, pkg, source string) (lines []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", source, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.FileExports(file)
	print := func(node any) string {
		var text strings.Builder
		require.NoError(t, format.Node(&text, set, node))
		return strings.Join(strings.Fields(text.String()), " ")
	}
	say := func(parts ...string) { lines = append(lines, pkg+": "+strings.Join(parts, " ")) }
	fields := func(of string, list *ast.FieldList) {
		for _, field := range list.List {
			if len(field.Names) == 0 {
				say(of+"."+print(field.Type), "(embedded)")
			}
			for _, name := range field.Names {
				say(of+"."+name.Name, print(field.Type))
			}
		}
	}
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Recv != nil && !ast.IsExported(strings.TrimLeft(print(d.Recv.List[0].Type), "*")) {
				continue
			}
			d.Body = nil
			say(print(d))
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					if d.Tok == token.VAR {
						s.Values = nil // what it is set to is no part of the API
					}
					say(d.Tok.String(), print(s))
				case *ast.TypeSpec:
					switch of := s.Type.(type) {
					case *ast.StructType:
						say(s.Name.Name, "struct")
						fields(s.Name.Name, of.Fields)
					case *ast.InterfaceType:
						say(s.Name.Name, "interface")
						fields(s.Name.Name, of.Methods)
					default:
						say(print(s))
					}
				}
			}
		}
	}
	return lines
}
