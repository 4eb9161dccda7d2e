package leaderelection

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAnElectorKnowsLocksAndNoConnections: how a lock reaches its API server is
// resourcelock's business.
func TestAnElectorKnowsLocksAndNoConnections(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	locks := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range file.Imports {
			assert.NotContains(t, i.Path.Value, "holdfast/dialer", name)
			if strings.Contains(i.Path.Value, "holdfast/resourcelock") {
				locks++
			}
		}
	}
	assert.Positive(t, locks, "the files of this package were read")
}
