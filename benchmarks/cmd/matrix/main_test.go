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

	"github.com/holdfast-go/holdfast/benchmarks/labtest"
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
	labtest.BadFlags(t, parse, map[string]string{
		"-faults meteor": `-faults: fault "meteor": must be one of`, "-roles king": `role "king": must be one of leader`,
		"-modes stale": `mode "stale": must be one of`, "-roles writer -modes new-connections": "no column has role writer and mode new-connections",
		"-peer etcd": `"etcd" must be of`, "-lease 2s": "lease duration 2s", "-renew 100ms": "renew deadline 100ms", "-retry -1s": "retry period -1s",
		"-n 0": "-n", "frozen": `"frozen"`,
	})
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
