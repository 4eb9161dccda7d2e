package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/matrix"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func TestFlagsSayWhatToPlay(t *testing.T) {
	c, err := parse([]string{"-faults", "frozen,killed", "-roles", "leader", "-modes", "new-connections, keep-connections", "-lease", "15s", "-renew", "10s", "-retry", "2s"}, io.Discard)
	require.NoError(t, err)
	require.Len(t, c.faults, 2)
	assert.Equal(t, "frozen", c.faults[0].Name)
	want := []matrix.Column{{Role: matrix.Leader, Mode: "keep-connections"}, {Role: matrix.Leader, Mode: "new-connections"}}
	assert.Equal(t, [][]matrix.Column{want, want}, c.columns)
	assert.Equal(t, scenario.Long, c.options.Timing)

	c, err = parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Len(t, c.faults, len(matrix.Faults()))
	assert.Equal(t, matrix.Columns(), c.columns[0])
	assert.Equal(t, scenario.Short, c.options.Timing)

	c, err = parse([]string{"-faults", "frozen,killed", "-n", "2"}, io.Discard)
	require.NoError(t, err)
	require.Len(t, c.faults, 4)
	assert.Equal(t, "frozen", c.faults[2].Name)
	assert.Len(t, c.columns, 4)

	c, err = parse([]string{"-subset", "-roles", "leader"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []matrix.Column{{Role: matrix.Leader, Mode: "keep-connections"}}, c.columns[0])
}

func TestABadFlagIsNamedWithItsValue(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"unknown fault":   {[]string{"-faults", "meteor"}, []string{"-faults", `"meteor"`, "killed"}},
		"unknown role":    {[]string{"-roles", "king"}, []string{"-roles", `"king"`, "leader"}},
		"unknown mode":    {[]string{"-modes", "stale"}, []string{"-modes", `"stale"`, "new-connections"}},
		"no such column":  {[]string{"-roles", "writer", "-modes", "new-connections"}, []string{"writer", "new-connections"}},
		"unknown peer":    {[]string{"-peer", "etcd"}, []string{"-peer", `"etcd"`, "client-go"}},
		"lease too short": {[]string{"-lease", "2s"}, []string{"-lease 2s", "-renew 2s"}},
		"renew too short": {[]string{"-renew", "100ms"}, []string{"-renew 100ms", "-retry 500ms"}},
		"retry negative":  {[]string{"-retry", "-1s"}, []string{"-retry -1s"}},
		"no plays":        {[]string{"-n", "0"}, []string{"-n 0"}},
		"arguments":       {[]string{"frozen"}, []string{`"frozen"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(c.args, io.Discard)
			for _, says := range c.says {
				assert.ErrorContains(t, err, says)
			}
		})
	}
}

func TestTheListNamesEveryFaultAndColumn(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, list(&out))
	for _, f := range matrix.Faults() {
		assert.Contains(t, out.String(), f.Name)
	}
	for _, c := range matrix.Columns() {
		assert.Contains(t, out.String(), c.String())
	}
}

func TestACellOverItsBoundFailsTheCommand(t *testing.T) {
	result := func(took time.Duration) []matrix.Result {
		return []matrix.Result{{Cells: []matrix.Cell{{Steered: true, Checks: []matrix.Check{
			{Name: "takeover", Bound: time.Second, Measured: scenario.Figure{Value: took, Known: true}},
		}}}}}
	}
	assert.NoError(t, verdict(result(time.Second)))
	assert.ErrorIs(t, verdict(result(time.Second+1)), errNotHeld)
	assert.ErrorIs(t, verdict(nil), errNotHeld, "nothing was played")
}

func TestTheTableGoesToTheFileAsWell(t *testing.T) {
	path := filepath.Join(t.TempDir(), "matrix.md")
	var out bytes.Buffer
	require.NoError(t, write(&out, path, nil))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, out.String(), string(file))
	assert.Contains(t, out.String(), "0 of 0 cells held")
}
