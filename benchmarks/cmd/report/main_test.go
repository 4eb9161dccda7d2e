package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheCommandWritesAReportOfWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "results", "x")
	require.NoError(t, os.WriteFile(in, []byte(`{"run":{"command":"compare -seed 7","seed":7}}`+"\n"), 0o600))
	var said, errs bytes.Buffer
	require.Zero(t, run([]string{"-in", in + ", ", "-out", out}, &said, &errs), errs.String())
	report, err := os.ReadFile(filepath.Join(out, "report.md"))
	require.NoError(t, err)
	assert.Contains(t, string(report), "compare -seed 7")
	assert.Contains(t, said.String(), "not measured")
	assert.Empty(t, errs.String())
}

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"help":         {[]string{"-h"}, 0, "-in"},
		"no input":     {[]string{"-out", "x"}, 2, "-in is empty"},
		"no output":    {[]string{"-in", "x"}, 2, "-out is empty"},
		"an argument":  {[]string{"-in", "x", "-out", "y", "z"}, 2, `"z"`},
		"missing file": {[]string{"-in", filepath.Join(t.TempDir(), "none"), "-out", t.TempDir()}, 1, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			assert.Equal(t, c.code, run(c.args, &out, &errs))
			assert.Contains(t, errs.String(), c.says)
		})
	}
}
