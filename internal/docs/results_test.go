package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ofResults finds the folder of results that a document speaks of.
var ofResults = regexp.MustCompile(`benchmarks/results/(\d{4}-\d\d-\d\d[^/)\s]*)`)

// newest returns the name of the newest folder of results; names are dates.
func newest(t *testing.T) (name string) {
	entries, err := os.ReadDir(filepath.Join(root, "benchmarks", "results"))
	require.NoError(t, err)
	for _, entry := range entries { // sorted
		if entry.IsDir() {
			name = entry.Name()
		}
	}
	require.NotEmpty(t, name)
	return name
}

func TestDocumentsSpeakOfTheNewestResults(t *testing.T) {
	name, number := newest(t), 0
	for _, path := range documents(t) {
		for _, found := range ofResults.FindAllStringSubmatch(read(t, path), -1) {
			assert.Equal(t, name, found[1], path)
			number++
		}
	}
	assert.Positive(t, number, "no document shows results")
}
