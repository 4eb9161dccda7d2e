package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/klog/v2"
)

func TestMain(m *testing.M) {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// short is a run of a few seconds.
func short(names ...string) options {
	o := options{
		timing:   timing{lease: 2 * time.Second, renew: 1500 * time.Millisecond, retry: 200 * time.Millisecond},
		restart:  100 * time.Millisecond,
		patience: 20 * time.Second,
	}
	for _, name := range names {
		s, _ := scenarioNamed(name)
		o.scenarios = append(o.scenarios, s)
	}
	return o
}

// find returns the figures of a fleet in a scenario.
func find(t *testing.T, all []figures, scenario, fleet string) figures {
	t.Helper()
	for _, f := range all {
		if f.scenario == scenario && f.fleet == fleet {
			return f
		}
	}
	require.FailNow(t, "no figures", "%s %s", scenario, fleet)
	return figures{}
}

func TestTheEndpointDiesAndTheLeaderIsStopped(t *testing.T) {
	t.Parallel()
	o := short("api", "handover")
	j := newJournal()
	require.NoError(t, play(t.Context(), o, j))
	all := results(o, j, time.Now())
	require.Len(t, all, 4)

	ours := find(t, all, "api", "holdfast")
	assert.True(t, ours.kept(), "%+v", ours)
	assert.Zero(t, ours.leaderless)
	assert.Zero(t, ours.overlap)
	assert.False(t, ours.renewal.IsZero(), "it went on renewing")
	theirs := find(t, all, "api", "client-go")
	assert.True(t, theirs.lost, "the demonstration shows a difference only if client-go's leader loses the lease: %+v", theirs)
	assert.Greater(t, theirs.leaderless, time.Duration(0))

	for _, fleet := range []string{"holdfast", "client-go"} {
		f := find(t, all, "handover", fleet)
		assert.True(t, f.ended, "%+v", f)
		assert.Equal(t, "two", f.heir)
		assert.Greater(t, f.leaderless, time.Duration(0))
		assert.Less(t, f.takeover.Sub(f.fault), o.lease, "%s: what was released need not run out", fleet)
	}
}

func TestTheNodeDies(t *testing.T) {
	t.Parallel()
	// Client-go's takeover, 45 s later, is not waited for.
	o := short("node")
	j := newJournal()
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	played := make(chan error, 1)
	go func() { played <- play(ctx, o, j) }()
	require.Eventually(t, func() bool {
		return find(t, results(o, j, time.Now()), "node", "holdfast").settled(o.lease)
	}, 15*time.Second, 5*time.Millisecond)
	stop(nil)
	require.NoError(t, <-played, "an interruption is no failure")

	all := results(o, j, time.Now())
	ours := find(t, all, "node", "holdfast")
	assert.Equal(t, "two", ours.heir)
	assert.GreaterOrEqual(t, ours.takeover.Sub(ours.leaseEnd), time.Duration(0), "nobody leads before the lease has ended")
	assert.Zero(t, ours.overlap)
	theirs := find(t, all, "node", "client-go")
	assert.True(t, theirs.ended)
	assert.Empty(t, theirs.heir)
	assert.Greater(t, theirs.leaderless, time.Second)
}

func TestAnInterruptedRunEndsAtOnceWithATable(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var out bytes.Buffer
	start := time.Now()
	require.NoError(t, show(ctx, short("node", "kill"), &out))
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.Contains(t, out.String(), "not played")
	assert.NotContains(t, out.String(), "\x1b", "no colour where no terminal is")
}

func TestBadFlagsAreNamed(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"-lease", "1500ms"}, []string{"-lease 1.5s", "whole number of seconds"}},
		{[]string{"-lease", "0s"}, []string{"-lease 0s"}},
		{[]string{"-lease", "3s"}, []string{"-renew 4s", "less than -lease 3s"}},
		{[]string{"-retry", "3500ms"}, []string{"-renew 4s", "1.2 times -retry 3.5s", "4.2s"}},
		{[]string{"-retry", "-1s"}, []string{"-retry -1s", "greater than 0"}},
		{[]string{"-scenario", "kill,nothing"}, []string{`"nothing"`, "node, api, handover, kill"}},
		{[]string{"kill"}, []string{`"kill"`}},
	} {
		var stderr bytes.Buffer
		assert.Equal(t, exitUsage, run(c.args, io.Discard, &stderr), "%v", c.args)
		for _, want := range c.want {
			assert.Contains(t, stderr.String(), want, "%v", c.args)
		}
	}
}

func TestScenariosAreChosenByName(t *testing.T) {
	o, _, err := parse([]string{"-scenario", "kill, api,kill", "-lease", "15s", "-renew", "10s", "-retry", "2s"}, os.Stderr)
	require.NoError(t, err)
	require.Len(t, o.scenarios, 2)
	assert.Equal(t, "kill", o.scenarios[0].name)
	assert.Equal(t, timing{15 * time.Second, 10 * time.Second, 2 * time.Second}, o.timing)
}
