//go:build unix

package resourcelock

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// client-go reads the file of a token anew now and then, which may be on a file system
// that does not answer.
func TestATokenFileThatHangsIsWaitedForNoLongerThanTheBound(t *testing.T) {
	config := api(t)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("token"), 0o600))
	config.BearerToken, config.BearerTokenFile = "token", token // as rest.InClusterConfig sets both
	l := lock(t, config, "me", Options{})
	require.NoError(t, os.Remove(token))
	require.NoError(t, syscall.Mkfifo(token, 0o600)) // nobody writes to it
	begun := time.Now()
	_, _, err := l.Get(t.Context())
	require.ErrorIs(t, err, ErrDeaf)
	assert.Less(t, time.Since(begun), 30*time.Second)
	writer, err := os.OpenFile(token, os.O_WRONLY, 0)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
}
