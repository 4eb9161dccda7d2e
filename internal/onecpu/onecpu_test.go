package onecpu_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// imported returns what the Go files of each folder of a module import.
func imported(t *testing.T, module string) map[string]map[string]bool {
	t.Helper()
	folders := map[string]map[string]bool{}
	err := filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != module:
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := filepath.Dir(path)
		if folders[folder] == nil {
			folders[folder] = map[string]bool{}
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			folders[folder][name] = true
		}
		return nil
	})
	require.NoError(t, err)
	return folders
}

func TestEveryPackageWithBubblesHasOneCPU(t *testing.T) {
	found := 0
	for folder, imports := range imported(t, filepath.Join("..", "..")) {
		if imports["testing/synctest"] {
			found++
			assert.True(t, imports["github.com/holdfast-go/holdfast/internal/onecpu"],
				"%s uses testing/synctest and does not import internal/onecpu", folder)
		}
	}
	assert.NotZero(t, found)
}
