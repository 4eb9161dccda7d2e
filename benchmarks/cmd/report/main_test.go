package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/labtest"
)

func TestTheCommandWritesAReportOfWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "results", "x")
	require.NoError(t, os.WriteFile(in, []byte(`{"run":{"command":"compare -seed 7","seed":7}}`+"\n"), 0o600))
	c, err := parse([]string{"-in", in + ", ", "-out", out}, io.Discard)
	require.NoError(t, err)
	var said bytes.Buffer
	require.NoError(t, c.run(t.Context(), &said))
	report, err := os.ReadFile(filepath.Join(out, "report.md"))
	require.NoError(t, err)
	assert.Contains(t, string(report), "compare -seed 7")
	assert.Contains(t, said.String(), "not measured")
}

func TestABadFlagIsNamedWithItsValue(t *testing.T) {
	labtest.BadFlags(t, parse, map[string]string{"-out x": "-in is empty", "-in x": "-out is empty", "-in x -out y z": `"z"`, "-h": "help requested"})
	assert.ErrorContains(t, command{in: []string{filepath.Join(t.TempDir(), "none")}, out: t.TempDir()}.run(t.Context(), io.Discard), "none")
}
