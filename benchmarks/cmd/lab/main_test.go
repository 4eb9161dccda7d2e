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

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func TestFlagsSayWhatToPlay(t *testing.T) {
	c, err := parse([]string{"-scenario", "kill", "-peer", "client-go", "-timing", "15s/10s/2s", "-n", "5", "-no-watch"}, io.Discard)
	require.NoError(t, err)
	require.Len(t, c.scenarios, 1)
	assert.Equal(t, "kill", c.scenarios[0].Name)
	assert.Equal(t, scenario.Options{Peer: "client-go", Timing: scenario.Long, WithoutWatch: true}, c.options)
	assert.Equal(t, 5, c.n)
}

func TestABadFlagIsNamedWithItsValue(t *testing.T) {
	labtest.BadFlags(t, parse, map[string]string{
		"": "-scenario", "-scenario flood": `-scenario: scenario "flood": must be one of`, "-scenario kill -peer consul": `"consul"`,
		"-scenario kill -peer client-go -mode new-connections": "-mode new-connections: peer client-go has no modes",
		"-scenario kill -mode stale":                           "-mode",
		"-scenario kill -timing 2s/2s/500ms":                   "lease duration 2s: must be greater",
		"-scenario kill -timing 3s/100ms/500ms":                "renew deadline 100ms: must be greater",
		"-scenario kill -timing 3s/2s/-1s":                     "retry period -1s",
		"-scenario kill -timing 15/10s/2s":                     `"15"`,
		"-scenario kill -work-stop -1s":                        "-work-stop",
		"-scenario kill -n 0":                                  "-n",
		"kill":                                                 `"kill"`,
		"-measure x -timing 3s/2s/0s":                          "retry period 0s",
		"-scenario kill -lease a/b":                            "-lease: it is of a program: -program must be set",
	})
}

func TestTheListNamesEveryScenarioAndPeer(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, list(&out))
	for _, s := range scenario.All() {
		assert.Contains(t, out.String(), s.Name)
	}
	assert.Contains(t, out.String(), "client-go")
}

func TestASavedStreamGivesTheFiguresAgain(t *testing.T) {
	start := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	path := filepath.Join(t.TempDir(), "runs.jsonl")
	file, err := os.Create(path)
	require.NoError(t, err)
	w := event.NewWriter(file)
	for i := range 3 {
		late := time.Duration(i+1) * 100 * time.Millisecond
		require.NoError(t, save(w, []event.Event{
			{Time: at(0), Who: "scenario", What: event.Began},
			{Time: at(0), Who: "contender-1", What: event.Leading},
			{Time: at(0), Who: "observer", What: event.Committed, Holder: "contender-1", RenewTime: at(0), Lease: 3 * time.Second},
			{Time: at(1), Who: "scenario", What: event.Fault, On: "contender-1", Reason: "SIGKILL"},
			{Time: at(2), Who: "contender-1", What: event.Exited},
			{Time: at(3*time.Second + late), Who: "contender-2", What: event.Leading},
			{Time: at(4 * time.Second), Who: "scenario", What: event.Ended},
		}))
	}
	require.NoError(t, file.Close())

	var out bytes.Buffer
	require.NoError(t, measure(&out, command{measure: path, options: scenario.Options{Timing: scenario.Short}}))
	assert.Regexp(t, `takeover, after the lease ended +n=3 median 200ms p99 300ms max 300ms`, out.String())
	assert.Contains(t, out.String(), "run 3, seconds since")
	assert.Contains(t, out.String(), "SIGKILL")
}
