package leaderelection

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	upstream "k8s.io/client-go/tools/leaderelection"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/simulation"
)

// TestSimulationFindsTheOverlapsOfClientGo shows that the worlds in which our
// elector has no overlap are such that another has, and that the judge sees it.
func TestSimulationFindsTheOverlapsOfClientGo(t *testing.T) {
	silenceLog(t)
	options := simulation.Options{Run: clientGo, Reference: true}
	total := simulateMany(t, 4000, options, func(*testing.T, uint64, simulation.Result) {})
	t.Log(total)
	assert.Positive(t, total.overlaps[simulation.LateAnswer], simulation.LateAnswer)
	assert.Positive(t, total.overlaps[simulation.ReleasedEarly], simulation.ReleasedEarly)
	assert.Positive(t, total.overlaps[simulation.ReleaseFirst], simulation.ReleaseFirst)
}

// clientGo runs client-go's elector.
func clientGo(p *simulation.Process) {
	var le *upstream.LeaderElector
	stopped := func() string {
		if p.Context().Err() != nil {
			return simulation.Released
		}
		return simulation.RenewDeadline
	}
	le, err := upstream.NewLeaderElector(upstream.LeaderElectionConfig{
		Lock:          p.Plain(),
		LeaseDuration: p.Timing.Lease, RenewDeadline: p.Timing.Deadline, RetryPeriod: p.Timing.Retry,
		ReleaseOnCancel: p.Release,
		Callbacks: upstream.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { p.Work(ctx, simulation.Tenure{Reason: stopped}) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		panic(err) // a configuration that the simulation drew and that is not valid
	}
	le.Run(klog.NewContext(p.Context(), klog.Logger{}))
}
