package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func TestWithoutFlagsEverythingIsComparedForAFewMinutes(t *testing.T) {
	c, err := parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, contender.Compared(), c.Peers)
	assert.Len(t, c.Scenarios, len(scenario.All()))
	assert.Equal(t, []scenario.Timing{scenario.Short, quick, scenario.Long}, c.Timings)
	assert.Equal(t, defaultFor, c.budget)
	assert.Equal(t, "5m0s", c.limit())
}

func TestFlagsSayWhatToCompare(t *testing.T) {
	c, err := parse([]string{"-rounds", "2", "-seed", "7", "-peers", "holdfast,etcd", "-scenarios", "kill", "-timings", "15s/10s/2s", "-o", "x"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"holdfast", "etcd"}, c.Peers)
	assert.Equal(t, []string{"kill"}, c.Scenarios)
	assert.Equal(t, []scenario.Timing{scenario.Long}, c.Timings)
	assert.Equal(t, uint64(7), c.seed)
	assert.Zero(t, c.budget)
	assert.Equal(t, "2 rounds", c.limit())
}

func TestABadFlagIsNamedWithItsValue(t *testing.T) {
	labtest.BadFlags(t, parse, map[string]string{
		"-peers holdfast,consul": `"consul"`, "-scenarios x": "-scenarios", "-timings 3s/2s": `"3s/2s"`, "-timings=": "-timings",
		"-for -1s": "-for", "-labs 0": "-labs", "-rounds -1": "-rounds", "-o=": "-o is empty", "more": `"more"`,
	})
}

func TestAFileIsGoneOnWithOnlyWhereItIsOfTheSameComparison(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	machine := result.Machine{OS: "linux", Cores: 2}
	versions := result.Versions{"etcd": "v3.7.3"}
	at := func(args ...string) command {
		c, err := parse(append(args, "-o", path), io.Discard)
		require.NoError(t, err)
		return c
	}
	_, err := at("-append").open(machine, versions)
	assert.ErrorIs(t, err, os.ErrNotExist)

	first, err := at("-seed", "7", "-for", time.Minute.String()).open(machine, versions)
	require.NoError(t, err)
	require.NoError(t, first.Write(result.Sample{Peer: "etcd", Round: 1}))
	require.NoError(t, first.Close())

	_, err = at("-seed", "7").open(machine, versions)
	assert.ErrorContains(t, err, "-append")
	for says, open := range map[string]func() (*results, error){
		"seed is 7, not 8": func() (*results, error) { return at("-append", "-seed", "8").open(machine, versions) },
		"another machine": func() (*results, error) {
			return at("-append").open(result.Machine{OS: "linux", Cores: 4}, versions)
		},
		"other versions": func() (*results, error) { return at("-append").open(machine, result.Versions{"etcd": "v3.8.0"}) },
	} {
		_, err := open()
		assert.ErrorContains(t, err, says)
	}

	second, err := at("-append").open(machine, versions)
	require.NoError(t, err)
	assert.Equal(t, uint64(7), second.run.Seed)
	assert.Equal(t, []result.Sample{{Peer: "etcd", Round: 1}}, second.before)
	require.NoError(t, second.Write(result.Sample{Peer: "holdfast", Round: 1}))
	require.NoError(t, second.Close())

	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	run, samples, err := result.Read(file)
	require.NoError(t, err)
	assert.Equal(t, "1m0s", run.Budget)
	assert.Len(t, samples, 2)
}
