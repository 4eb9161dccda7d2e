package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// dead returns how many children of a process, by its number here, have ended and were
// not reaped.
func dead(t *testing.T, parent int) (number int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		p, err := parseStat(line)
		require.NoError(t, err)
		if p.parent == parent && p.dead {
			number++
		}
	}
	return number
}
