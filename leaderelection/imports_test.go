package leaderelection

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sources returns the files of this package by their names, without its tests.
func sources(t *testing.T) map[string]*ast.File {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
	}
	return files
}

// TestAnElectorKnowsLocksAndNoConnections: how a lock reaches its API server is
// resourcelock's business.
func TestAnElectorKnowsLocksAndNoConnections(t *testing.T) {
	locks := 0
	for name, file := range sources(t) {
		for _, i := range file.Imports {
			assert.NotContains(t, i.Path.Value, "holdfast/dialer", name)
			if strings.Contains(i.Path.Value, "holdfast/resourcelock") {
				locks++
			}
		}
	}
	assert.Positive(t, locks, "the files of this package were read")
}

// TestNoPartKnowsTheElector: candidate, leader and their helpers are given what they
// need. Only what a user hands an elector to, or is handed one by, names it.
func TestNoPartKnowsTheElector(t *testing.T) {
	var know []string
	for name, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "LeaderElector" {
				know = append(know, name)
			}
			return true
		})
	}
	for _, name := range know {
		assert.Contains(t, []string{"elector.go", "health.go", "guardfence.go", "trace.go"}, name)
	}
	assert.Contains(t, know, "elector.go")
}
