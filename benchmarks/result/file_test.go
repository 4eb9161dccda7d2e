package result_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/result"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	began := time.Date(2026, 11, 23, 21, 42, 0, 0, time.UTC)
	run := result.Run{Command: "compare -seed 7", Seed: 7, Began: began, Machine: result.Machine{OS: "linux", Cores: 2}, Versions: result.Versions{"go": "go1.26"}}
	samples := []result.Sample{
		{Measure: result.Failover, Peer: "client-go", Case: "kill", Round: 1, Figures: map[string]float64{"takeover_seconds": 0.38},
			Events: []event.Event{{Time: began, Who: "scenario", What: event.Fault, On: "contender-1", Reason: "SIGKILL"}}},
		{Measure: result.Rest, Peer: "holdfast", Scale: 1000, Limit: "API server out of file descriptors"},
		{Measure: result.Failover, Peer: "holdfast", Case: "kill", Round: 1, Failed: "the laboratory could not be mended"},
	}
	var file bytes.Buffer
	w, err := result.NewWriter(&file, run)
	require.NoError(t, err)
	for _, s := range samples {
		require.NoError(t, w.Write(s))
	}
	gotRun, got, err := result.Read(&file)
	require.NoError(t, err)
	assert.Equal(t, run, gotRun)
	assert.Equal(t, samples, got)
}

func TestWhatIsNoResultIsNamedByItsLine(t *testing.T) {
	for name, c := range map[string]struct{ file, says string }{
		"empty":        {"", "results are empty"},
		"not JSON":     {"{\"run\":{}}\nx\n", "line 2"},
		"no run":       {"{\"sample\":{}}\n", "line 1"},
		"two runs":     {"{\"run\":{}}\n{\"run\":{}}\n", "line 2"},
		"unknown line": {"{\"run\":{}}\n{}\n", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := result.Read(strings.NewReader(c.file))
			assert.ErrorContains(t, err, c.says)
		})
	}
}
