package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEachMutantBreaksOneRule(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rule.go")
	const rule = "package p\n\nfunc f(a, b int) int {\n\tif a < b && b > 1 {\n\t\treturn min(a, b) + 1\n\t}\n\treturn b\n}\n"
	require.NoError(t, os.WriteFile(path, []byte(rule), 0o600))
	mutants, err := mutantsOf(path)
	require.NoError(t, err)
	var names []string
	for _, m := range mutants {
		names = append(names, strings.TrimPrefix(m.name, "rule.go: f: "))
		assert.NotEqual(t, rule, string(m.text))
	}
	assert.Equal(t, []string{
		"if a < b && b > 1 -> if true || (a < b && b > 1)",
		"if a < b && b > 1 -> if false && (a < b && b > 1)",
		"a < b && b > 1 -> a < b || b > 1",
		"a < b -> a <= b",
		"b > 1 -> b >= 1",
		"min(a, b) + 1 -> min(a, b) - 1",
		"min(a, b) -> max(a, b)",
	}, names)
}
