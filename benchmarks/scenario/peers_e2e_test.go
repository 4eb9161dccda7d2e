package scenario_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// Every peer leads, renews, and hands over by a release: what a comparison
// takes for granted of each.
func TestEveryPeerLeadsAndHandsOver(t *testing.T) {
	_, stage := laboratory(t)
	handover, err := scenario.Find("handover")
	require.NoError(t, err)
	for _, peer := range contender.Compared() {
		t.Run(peer, func(t *testing.T) {
			var stderr labtest.Log
			r, err := stage.Run(t.Context(), handover, scenario.Options{Peer: peer, Timing: scenario.Short, Stderr: &stderr})
			if !assert.NoError(t, err) {
				t.Fatalf("log of the contenders:\n%s", stderr.String())
			}
			f := r.Figures
			t.Logf("figure: %s: handover %v after SIGTERM, %v after the release, requests %v in %v", peer, f.Outage, f.AfterRelease, f.Requests, f.Window)
			assert.Equal(t, "contender-1", f.Leader)
			assert.Equal(t, "contender-2", f.Successor)
			assert.True(t, f.AfterRelease.Known, "the lease was released")
			assert.Less(t, f.Outage.Value, scenario.Short.LeaseDuration, "the lease ran out instead")
			assert.Zero(t, f.Lost, "leases lost")
			assert.Positive(t, count(r.Events, "contender-1", event.Connected), "connections that contender-1 opened")
			assert.Equal(t, contender.UsesAPI(peer), count(r.Events, "observer", event.Committed) > 0, "the observer saw it renew")
			if t.Failed() {
				t.Logf("log of the contenders:\n%s", stderr.String())
			}
		})
	}
}

func count(events []event.Event, who string, what event.What) int {
	n := 0
	for _, e := range events {
		if e.Who == who && e.What == what {
			n++
		}
	}
	return n
}
