package docs

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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

var (
	story   = regexp.MustCompile(`!\[([^\]]*)\]\((benchmarks/results/[^)]*story\.svg)\)`)
	seconds = regexp.MustCompile(`(\d+(?:\.\d+)?) s\b`)
	matrix  = regexp.MustCompile(`\]\(../(benchmarks/results/[^)]*matrix\.md)\)`)
	faulted = regexp.MustCompile(`(\d+) of them, is played`)
)

// What the README says of the plot is printed in it, but for the fraction.
func TestTheWordsUnderThePlotAreThePlots(t *testing.T) {
	image := story.FindStringSubmatch(read(t, "README.md"))
	require.NotNil(t, image, "README.md does not show story.svg")
	said := seconds.FindAllStringSubmatch(image[1], -1)
	var drawn []float64
	for _, s := range seconds.FindAllStringSubmatch(read(t, image[2]), -1) {
		drawn = append(drawn, number(t, s[1]))
	}
	require.NotEmpty(t, drawn)
	for _, s := range said {
		assert.True(t, slices.ContainsFunc(drawn, func(d float64) bool { return math.Abs(d-number(t, s[1])) < 1 }), "%s is not in the plot: %v", s[0], drawn)
	}
}

func TestTheFaultsOfTheMatrixAreCounted(t *testing.T) {
	document := read(t, "docs/measured.md")
	said := faulted.FindStringSubmatch(document)
	require.NotNil(t, said)
	linked := matrix.FindStringSubmatch(document)
	require.NotNil(t, linked, "docs/measured.md does not link to matrix.md")
	rows := table(read(t, linked[1]), "fault")
	assert.EqualValues(t, len(rows), number(t, said[1]))
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return n
}
