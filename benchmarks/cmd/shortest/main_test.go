package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/shortest"
)

func TestFlagsSayWhatToTry(t *testing.T) {
	c, err := parse([]string{"-peer", "client-go,holdfast", "-window", "30s", "-silence", "10s", "-pause", "0s", "-longest", "20s", "-confirm", "1", "-o", "x"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, command{
		peers:   []string{"client-go", "holdfast"},
		options: shortest.Options{Window: 30 * time.Second, Silence: 10 * time.Second},
		longest: 20 * time.Second, confirm: 1, out: "x",
	}, c)

	c, err = parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, contender.Compared(), c.peers)
	assert.Greater(t, c.options.Silence, 45*time.Second, "client-go's pings take 45s")
}

func TestABadFlagIsNamedWithItsValue(t *testing.T) {
	for says, args := range map[string][]string{
		`"other"`:        {"-peer", "holdfast,other"},
		`"more"`:         {"more"},
		"-window 0s":     {"-window", "0s"},
		"-silence -1s":   {"-silence", "-1s"},
		"-pause -1s":     {"-pause", "-1s"},
		"-longest 100ms": {"-longest", "100ms"},
		"-confirm 0":     {"-confirm", "0"},
	} {
		_, err := parse(args, io.Discard)
		assert.ErrorContains(t, err, says)
	}
}

// lossBelow is a peer that loses leases shorter than least.
func lossBelow(least time.Duration) func(context.Context, shortest.Options, scenario.Timing) (shortest.Trial, error) {
	return func(_ context.Context, _ shortest.Options, timing scenario.Timing) (shortest.Trial, error) {
		trial := shortest.Trial{Faults: 2}
		if timing.LeaseDuration < least {
			trial.Lost = "contender-1 lost the lease 1s after the first fault"
		}
		return trial, nil
	}
}

func TestASearchIsASampleAndALineATrial(t *testing.T) {
	var out bytes.Buffer
	s := search{command: command{longest: 20 * time.Second, confirm: 2}, options: shortest.Options{Peer: "holdfast", Window: time.Minute}, out: &out, try: lossBelow(4 * time.Second)}
	sample, err := s.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "4s/2.667s/533ms", sample.Timing)
	assert.InDelta(t, 4, sample.Figures["lease_seconds"], 0)
	assert.InDelta(t, 3, sample.Figures["longest_lost_seconds"], 0)
	assert.InDelta(t, 2*sample.Figures["trials_total"], sample.Figures["faults_total"], 0)
	assert.Equal(t, int(sample.Figures["trials_total"]), bytes.Count(out.Bytes(), []byte("\n")))
	assert.Contains(t, out.String(), "trial 1, 20s/13.333s/2.667s, silent servers 2: held")
	assert.Contains(t, out.String(), "3s/2s/400ms, silent servers 2: contender-1 lost the lease")
}

func TestNoLeaseThatHoldsIsASampleToo(t *testing.T) {
	s := search{command: command{longest: 3 * time.Second, confirm: 1}, options: shortest.Options{Peer: "client-go"}, out: io.Discard, try: lossBelow(time.Hour)}
	sample, err := s.run(t.Context())
	require.NoError(t, err)
	assert.Contains(t, sample.Failed, "up to 3s")
	assert.Empty(t, sample.Timing)
	assert.NotContains(t, sample.Figures, "lease_seconds")

	broken := errors.New("the laboratory is gone")
	s.try = func(context.Context, shortest.Options, scenario.Timing) (shortest.Trial, error) {
		return shortest.Trial{}, broken
	}
	_, err = s.run(t.Context())
	assert.ErrorIs(t, err, broken)
}

func TestPeersAreNotTriedWithWhatTheyWouldChange(t *testing.T) {
	assert.Error(t, refuses("client-go")(shortest.TimingOf(500*time.Millisecond)))
	assert.NoError(t, refuses("client-go")(shortest.TimingOf(time.Second)))
	assert.NoError(t, refuses("holdfast")(shortest.TimingOf(500*time.Millisecond)))
}
