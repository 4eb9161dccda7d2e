package podlabel

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/labtest"
)

// What `kubectl apply --server-side --dry-run=server` does.
func TestTheAPIServerAcceptsTheManifests(t *testing.T) {
	api, config := admin(t)
	apply, err := labtest.DryRun(api, config)
	require.NoError(t, err)
	for _, folder := range []string{"elect", "relay"} {
		files, err := filepath.Glob(filepath.Join("../../examples", folder, "deploy/*.yaml"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
				_, err := apply(t.Context(), document)
				assert.NoError(t, err, file)
			}
		}
	}
}
