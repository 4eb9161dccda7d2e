package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnAPIServerWritesWhatItIsAskedOnlyWhereThatIsWanted(t *testing.T) {
	dir := t.TempDir()
	a := &APIServer{Server: &Server{}}
	args, err := (&Lab{}).audit(a, dir)
	require.NoError(t, err)
	assert.Empty(t, args)
	assert.Empty(t, a.AuditLog())

	args, err = (&Lab{options: Options{Audit: true}}).audit(a, dir)
	require.NoError(t, err)
	assert.Contains(t, args, "--audit-log-path="+a.AuditLog())
	policy, ok := strings.CutPrefix(args[0], "--audit-policy-file=")
	require.True(t, ok)
	text, err := os.ReadFile(policy)
	require.NoError(t, err)
	assert.True(t, json.Valid(text), "%s", text)
	assert.Equal(t, dir, filepath.Dir(policy))
}
