package docs

import (
	"go/ast"
	"go/doc"
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

// without returns the entry points of the package in a folder that no example
// shows: its exported functions, constructors among them, less those that are
// deprecated. An example shows what it calls, and counts only where its output is
// compared.
func without(t *testing.T, folder string) (missing []string, shown int) {
	t.Helper()
	files := token.NewFileSet()
	var source, tests []*ast.File
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		file, err := parser.ParseFile(files, filepath.Join(folder, entry.Name()), nil, parser.ParseComments)
		require.NoError(t, err)
		if strings.HasSuffix(entry.Name(), "_test.go") {
			tests = append(tests, file)
		} else {
			source = append(source, file)
		}
	}
	require.NotEmpty(t, source, folder)

	called := map[string]bool{}
	for _, example := range doc.Examples(tests...) {
		if example.Output == "" && !example.EmptyOutput {
			continue
		}
		ast.Inspect(example.Code, func(node ast.Node) bool {
			if call, isCall := node.(*ast.CallExpr); isCall {
				if of, isSelected := call.Fun.(*ast.SelectorExpr); isSelected {
					if pkg, isName := of.X.(*ast.Ident); isName && pkg.Name == source[0].Name.Name {
						called[of.Sel.Name] = true
					}
				}
			}
			return true
		})
	}
	entryPoints := map[string]bool{}
	for _, file := range source {
		for _, declaration := range file.Decls {
			if f, isFunc := declaration.(*ast.FuncDecl); isFunc && f.Recv == nil && f.Name.IsExported() && !strings.Contains(f.Doc.Text(), "\nDeprecated: ") {
				entryPoints[f.Name.Name] = true
			}
		}
	}
	for name := range entryPoints {
		if called[name] {
			shown++
		} else {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return missing, shown
}

func TestEveryEntryPointHasAnExample(t *testing.T) {
	for _, pkg := range packages {
		missing, shown := without(t, filepath.Join(root, pkg))
		assert.Empty(t, missing, pkg)
		t.Logf("%s: %d entry points, each in an example whose output is compared", pkg, shown)
	}
}

func TestAnEntryPointWithoutAnExampleIsFound(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"p.go":      "package p\nfunc New() {}\nfunc Run() {}\nfunc Silent() {}\nfunc own() {}\n// Old is.\n//\n// Deprecated: use New.\nfunc Old() {}\ntype T struct{}\nfunc (T) Do() {}\n",
		"p_test.go": "package p_test\nfunc ExampleNew() {\n\tp.New()\n\t// Output: 1\n}\nfunc ExampleSilent() { p.Silent() }\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	missing, shown := without(t, folder)
	assert.Equal(t, []string{"Run", "Silent"}, missing)
	assert.Equal(t, 1, shown)
}
