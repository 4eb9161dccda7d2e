package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/shortest"
)

func TestFlagsSayWhatToTry(t *testing.T) {
	c, err := parse([]string{"-peers", "client-go,holdfast", "-window", "30s", "-silence", "10s", "-pause", "0s", "-longest", "20s", "-confirm", "1", "-together", "2", "-o", "x"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, command{
		peers:   []string{"client-go", "holdfast"},
		options: shortest.Options{Window: 30 * time.Second, Silence: 10 * time.Second},
		longest: 20 * time.Second, confirm: 1, together: 2, out: "x",
	}, c)

	c, err = parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, contender.Compared(), c.peers)
	assert.Greater(t, c.options.Silence, 45*time.Second, "client-go's pings take 45s")
}

func TestABadFlagIsNamedWithItsValue(t *testing.T) {
	labtest.BadFlags(t, parse, map[string]string{
		"-peers holdfast,other": `"other"`, "more": `"more"`, "-window 0s": "-window", "-silence -1s": "-silence", "-pause -1s": "-pause",
		"-longest 100ms": "-longest", "-confirm 0": "-confirm", "-together 0": "-together",
	})
}

// lossBelow is a laboratory in which the peers lose leases shorter than these.
func lossBelow(least map[string]time.Duration) try {
	return func(_ context.Context, _ shortest.Options, entrants []shortest.Entrant) ([]shortest.Trial, error) {
		var trials []shortest.Trial
		for _, e := range entrants {
			trial := shortest.Trial{Faults: 2}
			if e.Timing.LeaseDuration < least[e.Peer] {
				trial.Lost = "pair-0-1 lost the lease 1s after the first fault"
			}
			trials = append(trials, trial)
		}
		return trials, nil
	}
}

func TestPeersAreSearchedForTogetherAndEachIsASample(t *testing.T) {
	for _, together := range []int{1, 4} {
		var out bytes.Buffer
		c := command{peers: []string{"holdfast", "client-go"}, longest: 20 * time.Second, confirm: 2, together: together, options: shortest.Options{Window: time.Minute}}
		var samples []result.Sample
		require.NoError(t, searchAll(t.Context(), c, &out, lossBelow(map[string]time.Duration{"holdfast": 500 * time.Millisecond, "client-go": 4 * time.Second}), collect(&samples)))
		require.Len(t, samples, 2)
		slices.SortFunc(samples, func(a, b result.Sample) int { return strings.Compare(b.Peer, a.Peer) })
		assert.Equal(t, "500ms/333ms/67ms", samples[0].Timing)
		assert.Equal(t, "4s/2.667s/533ms", samples[1].Timing)
		assert.InDelta(t, 4, samples[1].Figures["lease_seconds"], 0)
		assert.InDelta(t, 3, samples[1].Figures["longest_lost_seconds"], 0)
		assert.InDelta(t, 60, samples[1].Figures["window_seconds"], 0)
		trials := 0
		for _, s := range samples {
			trials += int(s.Figures["trials_total"])
			assert.InDelta(t, 2*s.Figures["trials_total"], s.Figures["faults_total"], 0)
		}
		assert.Equal(t, trials, bytes.Count(out.Bytes(), []byte("silent servers 2: ")))
		assert.Contains(t, out.String(), "client-go, 20s/13.333s/2.667s, silent servers 2: held")
		assert.Contains(t, out.String(), "client-go, 3s/2s/400ms, silent servers 2: pair-0-1 lost the lease")
	}
}

func TestNoLeaseThatHoldsIsASampleToo(t *testing.T) {
	c := command{peers: []string{"client-go", "etcd"}, longest: 3 * time.Second, confirm: 1, together: 2}
	var samples []result.Sample
	require.NoError(t, searchAll(t.Context(), c, io.Discard, lossBelow(map[string]time.Duration{"client-go": time.Hour}), collect(&samples)))
	require.Len(t, samples, 2)
	assert.Contains(t, samples[0].Limit, "not applicable", "etcd is untouched by API servers")
	assert.Contains(t, samples[1].Failed, "up to 3s")
	assert.Empty(t, samples[1].Timing)
	assert.NotContains(t, samples[1].Figures, "lease_seconds")
}

func TestATrialThatSaysNothingEndsTheSearchAndWhatIsKnownIsKept(t *testing.T) {
	broken, trials := errors.New("the laboratory is gone"), 0
	c := command{peers: []string{"client-go", "holdfast"}, longest: 40 * time.Second, confirm: 1, together: 4}
	var samples []result.Sample
	err := searchAll(t.Context(), c, io.Discard, func(ctx context.Context, o shortest.Options, entrants []shortest.Entrant) ([]shortest.Trial, error) {
		if trials++; trials == 3 {
			return nil, broken
		}
		return lossBelow(map[string]time.Duration{"client-go": 33 * time.Second})(ctx, o, entrants)
	}, collect(&samples))
	assert.ErrorIs(t, err, broken)
	require.Len(t, samples, 2)
	assert.Contains(t, samples[0].Failed, "was ended")
	assert.InDelta(t, 32, samples[0].Figures["longest_lost_seconds"], 0)
	assert.Empty(t, samples[0].Timing)
}

// collect keeps samples in to.
func collect(to *[]result.Sample) func(result.Sample) error {
	return func(s result.Sample) error {
		*to = append(*to, s)
		return nil
	}
}
