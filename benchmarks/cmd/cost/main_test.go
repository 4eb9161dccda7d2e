package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/cost"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func TestFlagsSayWhatToMeasure(t *testing.T) {
	c, err := parse([]string{"-peers", "holdfast", "-contenders", "10,2,2", "-leases", "", "-window", "30s", "-for", "5m", "-o", "x"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, command{
		peers: []string{"holdfast"}, contenders: []int{2, 10}, limit: 5 * time.Minute, out: "x",
		options: cost.Options{
			Timing: scenario.Long, Window: 30 * time.Second, Settle: 3 * time.Minute, Processes: 20,
		},
	}, c)

	c, err = parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, contender.Compared(), c.peers)
	assert.Equal(t, []int{1, 10, 100, 1000}, c.leases)
}

func TestABadFlagIsNamedWithItsValue(t *testing.T) {
	labtest.BadFlags(t, parse, map[string]string{
		"-peers holdfast,other": `"other"`, "more": `"more"`, "-contenders 1": "-contenders", "-leases 0": "-leases", "-leases 1,x": `"1,x"`,
		"-window 0s": "-window", "-settle -1s": "-settle", "-processes 0": "-processes", "-for -1s": "-for",
		"-retry 0s": "retry period 0s", "-renew 1s": "renew deadline 1s", "-lease 5s": "lease duration 5s",
		"-leases= -contenders=": "nothing to measure",
	})
}

func TestSmallScalesComeFirstAndPeersTakeTurns(t *testing.T) {
	tasks := plan(command{peers: []string{"a", "b"}, contenders: []int{2, 100}, leases: []int{1, 100}})
	assert.Equal(t, []task{
		{result.Leases, "a", 1}, {result.Leases, "b", 1},
		{result.Rest, "a", 2}, {result.Rest, "b", 2},
		{result.Rest, "a", 100}, {result.Rest, "b", 100},
		{result.Leases, "a", 100}, {result.Leases, "b", 100},
	}, tasks)
}

func TestARowShowsWhatWasMeasuredAndWhatWasNot(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, row(&out, result.Sample{Measure: result.Leases, Peer: "holdfast", Scale: 1000, Limit: "too busy", Figures: map[string]float64{
		cost.Requests: 30000, cost.HeapLease: 20 << 10, cost.ReceivedBytes: 1500, cost.SentBytes: 500,
	}}))
	assert.Regexp(t, `^cost-of-leases +holdfast +1000 +30000.00 +- +- +2.0 .* 20.00 +too busy\n$`, out.String())

	out.Reset()
	require.NoError(t, row(&out, result.Sample{Measure: result.Rest, Peer: "client-go", Scale: 10, Failed: "no process"}))
	assert.Contains(t, out.String(), "FAILED: no process")
}
