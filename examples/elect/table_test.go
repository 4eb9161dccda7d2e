package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// table returns all processes, by their numbers here.
func table(t *testing.T) (all []process) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		p, err := parseStat(line)
		require.NoError(t, err)
		all = append(all, p)
	}
	return all
}

func descendantsOf(t *testing.T, pid int) []int { return descendants(pid, table(t)) }

// dead returns how many children of a process have ended and were not reaped.
func dead(t *testing.T, parent int) (number int) {
	t.Helper()
	for _, p := range table(t) {
		if p.parent == parent && p.dead {
			number++
		}
	}
	return number
}
