package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const rule = `package main

import "fmt"

func f(a, b int) int {
	if a < b && b > 1 {
		return min(a, b) + 1
	}
	return b - a
}

func main() {
	for _, ab := range [][2]int{{2, 3}, {1, 1}, {0, 1}, {2, 2}, {3, 1}} {
		fmt.Print(f(ab[0], ab[1]), " ")
	}
}
`

// Each mutant is a program of its own.
func TestEachMutantBreaksOneRule(t *testing.T) {
	dir, temporary := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rule.go"), []byte(rule), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module rule\n\ngo 1.25\n"), 0o600))
	mutants, overlay, err := breakAll(dir, "rule.go", temporary)
	require.NoError(t, err)
	program := filepath.Join(temporary, "rule")
	build := exec.Command("go", "build", "-overlay", overlay, "-o", program, ".")
	build.Dir = dir
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	prints := func(number int) string {
		command := exec.Command(program)
		command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", chosen, number))
		output, err := command.Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(output))
	}
	assert.Equal(t, "3 0 1 0 -2", prints(0))
	var got []string
	for i, m := range mutants {
		got = append(got, strings.TrimPrefix(m.name, "rule.go: f: ")+": "+prints(i+1))
	}
	assert.Equal(t, []string{
		"if a < b && b > 1 -> if true || (a < b && b > 1): 3 2 1 3 2",
		"if a < b && b > 1 -> if false && (a < b && b > 1): 1 0 1 0 -2",
		"a < b && b > 1 -> a < b || b > 1: 3 0 1 3 -2",
		"a < b -> a <= b: 3 0 1 3 -2",
		"b > 1 -> b >= 1: 3 0 1 0 -2",
		"min(a, b) + 1 -> min(a, b) - 1: 1 0 1 0 -2",
		"min(a, b) -> max(a, b): 4 0 1 0 -2",
		"b - a -> b + a: 3 2 1 4 4",
	}, got)
}

// A survivor that is listed is one of the code as it is now.
func TestKnownSurvivorsAreMutants(t *testing.T) {
	reasons, err := readKnown("../../leaderelection/mutants.txt")
	require.NoError(t, err)
	require.NotEmpty(t, reasons)
	mutants, _, err := breakAll("../../leaderelection", "*.go", t.TempDir())
	require.NoError(t, err)
	names := map[string]bool{}
	for _, m := range mutants {
		names[m.name] = true
	}
	for known := range reasons {
		assert.True(t, names[known], "%s", known)
	}
}
