package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/result"
)

func TestValuesCarryTheUnitOfTheirName(t *testing.T) {
	for _, c := range []struct {
		figure string
		v      float64
		want   string
	}{
		{"takeover_seconds", 0.01234, "12.3 ms"}, {"takeover_seconds", 44.9, "44.9 s"}, {"takeover_seconds", -0.1, "-100 ms"},
		{"takeover_seconds", 0.9999, "1 s"}, {"takeover_seconds", 120.4, "120 s"}, {"overlap_seconds", 0, "0 s"}, {"x_seconds", 21.5e-9, "0.0215 µs"},
		{"heap_bytes_per_lease", 25 << 10, "25 KiB"}, {"sent_bytes_per_minute", 10, "10 B/min"}, {"cpu_seconds_per_minute", 0.5, "500 ms/min"},
		{"requests_per_minute", 29.96, "30/min"}, {"connections", 1000, "1000"}, {"leases_lost_total", 0, "0"},
	} {
		assert.Equal(t, c.want, value(c.figure, c.v), c.figure)
	}
}

func TestCellsStandInOneOrder(t *testing.T) {
	in := of(
		sample("zeta", "odd", "x", 1), sample("holdfast", "kill", "x", 1), sample("client-go", "kill", "x", 1), sample("etcd", "kill", "x", 1),
		result.Sample{Measure: result.Failover, Peer: "client-go", Case: "kill", Timing: shortTiming}, sample("alpha", "node-death", "x", 1),
	)
	var got []string
	for _, g := range groups(in, result.Failover) {
		got = append(got, g.kase+" "+g.timing+" "+g.peer)
	}
	assert.Equal(t, []string{
		"node-death " + longTiming + " alpha", "kill " + longTiming + " client-go", "kill " + longTiming + " etcd",
		"kill " + longTiming + " holdfast", "kill " + shortTiming + " client-go", "odd " + longTiming + " zeta",
	}, got)
}

func TestGoBenchmarksAreRead(t *testing.T) {
	all, err := ParseBenchmarks(strings.NewReader(exampleBenchmarks))
	require.NoError(t, err)
	require.Len(t, all, 4)
	assert.Equal(t, Benchmark{Name: "Renew", Impl: "holdfast", Values: map[string]float64{"ns/op": 412345, "B/op": 20480, "allocs/op": 160}}, all[0])
	assert.Equal(t, "HedgeDecision", all[3].Name)
	assert.Equal(t, Stat{N: 2, Min: 409345, Median: 409345, P99: 412345, Max: 412345}, benchmarkStat(all, "Renew", "holdfast", "ns/op"))

	_, err = ParseBenchmarks(strings.NewReader("PASS\nBenchmarkRenew-2 10 x ns/op\n"))
	assert.ErrorContains(t, err, "line 2")
}

func TestFilesThatWereCutShortAreRead(t *testing.T) {
	const run = `{"run":{"command":"compare"}}` + "\n"
	const whole = run + `{"sample":{"measure":"failover","peer":"etcd"}}` + "\n"
	for name, c := range map[string]struct {
		content string
		samples int
		cut     string
		err     string
	}{
		"whole":               {whole, 1, "", ""},
		"empty":               {"", 0, "empty", ""},
		"last line cut":       {whole + `{"sample":{"meas`, 1, "incomplete", ""},
		"first line cut":      {`{"run":{"com`, 0, "incomplete", ""},
		"bad line in between": {run + "{x}\n" + whole, 0, "", "line 2"},
		"something else":      {"hello\n", 0, "", "neither results"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.jsonl")
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			in, err := Load([]string{path}, nil)
			if c.err != "" {
				assert.ErrorContains(t, err, c.err)
				assert.ErrorContains(t, err, path)
				return
			}
			require.NoError(t, err)
			require.Len(t, in.Files, 1)
			assert.Len(t, in.Files[0].Samples, c.samples)
			assert.Contains(t, in.Files[0].Cut, c.cut)
			assert.Equal(t, c.cut == "", in.Files[0].Cut == "")
		})
	}
	_, err := Load([]string{filepath.Join(t.TempDir(), "none.jsonl")}, nil)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// timeline is that of the events.
func timeline(t *testing.T, events []event.Event) Timeline {
	t.Helper()
	line, err := NewTimeline(result.Sample{Measure: result.Failover, Peer: ours, Timing: longTiming, Events: events})
	require.NoError(t, err)
	return line
}

func TestATimelineShowsGapsAndTheEndOfTheLease(t *testing.T) {
	line := timeline(t, nodeDeath(-0.7, 11.3, 11.4, 14.35))
	require.Len(t, line.Lanes, 2)
	require.Len(t, line.Gaps, 1)
	assert.InDelta(t, 11.4, line.Gaps[0].From, 1e-6)
	assert.InDelta(t, 14.35, line.Gaps[0].To, 1e-6)
	assert.False(t, line.Gaps[0].Open)
	assert.Empty(t, line.Overlaps)
	require.NotNil(t, line.LeaseEnd)
	assert.InDelta(t, 14.3, *line.LeaseEnd, 1e-6)
	require.NotNil(t, line.Takeover)
	assert.InDelta(t, 0.05, *line.Takeover, 1e-6)
	assert.InDelta(t, 11.3, line.Lanes[0].Terms[0].Stopping, 1e-6)
	assert.True(t, line.Lanes[1].Terms[0].Open)
	assert.Equal(t, []string{"contender-1: host is silent", "apiserver-1: host is silent"}, line.Faults)
}

func TestATimelineShowsTwoLeaders(t *testing.T) {
	line := timeline(t, released(3, 0.05, 0.8))
	require.Len(t, line.Overlaps, 1)
	assert.InDelta(t, 0.8, line.Overlaps[0].From, 1e-6)
	assert.InDelta(t, 3.01, line.Overlaps[0].To, 1e-6)
	assert.Empty(t, line.Gaps)
	assert.Nil(t, line.LeaseEnd, "it was released")
}

func TestATimelineShowsALeaseThatWasKeptOrLost(t *testing.T) {
	kept := timeline(t, silent(0))
	assert.True(t, kept.Kept)
	assert.Empty(t, kept.Gaps)
	assert.Nil(t, kept.LeaseEnd)

	lost := timeline(t, silent(10.9))
	assert.True(t, lost.Lost)
	require.Len(t, lost.Gaps, 1)
	assert.True(t, lost.Gaps[0].Open, "nobody led to the end of the record")
	assert.Len(t, lost.Lanes[0].Exits, 1)
}

func TestATimelineOfNothingIsAnError(t *testing.T) {
	_, err := NewTimeline(result.Sample{})
	assert.ErrorContains(t, err, "no events")
	noFault := slices.DeleteFunc(silent(0), func(e event.Event) bool { return e.What == event.Fault })
	_, err = NewTimeline(result.Sample{Timing: longTiming, Events: noFault})
	assert.ErrorContains(t, err, "no fault")
}

func TestDecadesHoldTheirValues(t *testing.T) {
	for _, c := range []struct{ low, high, from, to float64 }{
		{1, 1000, 1, 1000}, {0.001, 91, 0.001, 100}, {8, 8, 1, 10}, {10, 10, 10, 100},
	} {
		from, to := decades(c.low, c.high)
		assert.InEpsilon(t, c.from, from, 1e-9)
		assert.InEpsilon(t, c.to, to, 1e-9)
	}
}
