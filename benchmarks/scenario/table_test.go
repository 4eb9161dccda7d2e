package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/dialer"
)

// eachTiming runs claim with the short lease and, where the flag asks for it,
// with the long one.
func eachTiming(t *testing.T, claim func(t *testing.T, o scenario.Options)) {
	t.Run("short", func(t *testing.T) { claim(t, scenario.Options{Peer: "holdfast", Timing: scenario.Short}) })
	t.Run("long", func(t *testing.T) {
		if !*long {
			t.Skip("runs with -long")
		}
		claim(t, scenario.Options{Peer: "holdfast", Timing: scenario.Long})
	})
}

func assertTakeoverWithin(t *testing.T, bound time.Duration, f scenario.Figures) {
	t.Helper()
	t.Logf("figure: takeover %v after the lease ended, %v after the fault, two leaders for %v, requests %v", f.Takeover, f.Outage, f.Overlap, f.Requests)
	require.True(t, f.Takeover.Known, "the standby took over")
	assert.LessOrEqual(t, f.Takeover.Value, bound)
	assert.GreaterOrEqual(t, f.Takeover.Value, time.Duration(0), "nobody took over before the lease had ended")
	assert.Zero(t, f.Overlap, "two leaders at once")
}

func assertKept(t *testing.T, f scenario.Figures) {
	t.Helper()
	t.Logf("figure: lease kept %t, leases lost %d, renewal late by at most %v, requests %v in %v", f.Kept, f.Lost, f.RenewalLate, f.Requests, f.Window.Round(time.Millisecond))
	assert.True(t, f.Kept, "the lease was kept")
	assert.Zero(t, f.Lost, "leases lost")
	assert.Empty(t, f.Successor, "nobody else led")
	assert.Zero(t, f.Overlap, "two leaders at once")
}

func TestStandbyTakesOverWhenTheNodeDies(t *testing.T) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		assertTakeoverWithin(t, 500*time.Millisecond, play(t, "node-death", o))
	})
}

func TestStandbyTakesOverWhileTheVirtualIPNamesTheDeadServer(t *testing.T) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		assertTakeoverWithin(t, 1500*time.Millisecond, play(t, "node-death-slow-vip", o))
	})
}

func TestLeaderKeepsTheLeaseWhenItsAPIServerGoesSilent(t *testing.T) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		f := play(t, "api-silent", o)
		assertKept(t, f)
		assert.LessOrEqual(t, f.RenewalLate.Value, 2*time.Second)
	})
}

func TestLeaderKeepsTheLeaseWhenItsAPIServerFreezes(t *testing.T) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		assertKept(t, play(t, "api-frozen", o))
	})
}

func TestStandbyTakesOverWhenTheLeaderIsKilled(t *testing.T) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		assertTakeoverWithin(t, 300*time.Millisecond, play(t, "kill", o))
	})
}

func TestStandbyLeadsAtOnceWhenTheLeaderIsToldToStop(t *testing.T) {
	eachTiming(t, func(t *testing.T, o scenario.Options) {
		f := play(t, "handover", o)
		t.Logf("figure: handover %v after SIGTERM, %v after the work had returned, %v after the release", f.Outage, f.AfterWork, f.AfterRelease)
		require.True(t, f.Outage.Known, "the standby took over")
		assert.LessOrEqual(t, f.Outage.Value, 300*time.Millisecond)
		assert.True(t, f.AfterRelease.Known, "the lease was released")
		assert.Zero(t, f.Overlap, "two leaders at once")
		assert.Zero(t, f.Lost, "leases lost")
	})
}

func TestWorkThatIsSlowToStopIsWaitedForBeforeTheRelease(t *testing.T) {
	f := play(t, "handover", scenario.Options{Peer: "holdfast", Timing: scenario.Short, WorkStop: time.Second})
	t.Logf("figure: handover %v after SIGTERM with work that takes 1s to stop, %v after it had returned", f.Outage, f.AfterWork)
	require.True(t, f.AfterWork.Known, "the old work had returned when the new began")
	assert.LessOrEqual(t, f.AfterWork.Value, 300*time.Millisecond)
	assert.Zero(t, f.Overlap, "two leaders at once")
}

func TestFreshConnectionsKeepTheLeaseWhenTheAPIServerGoesSilent(t *testing.T) {
	f := play(t, "api-silent", scenario.Options{Peer: "holdfast", Timing: scenario.Short, Mode: dialer.NewConnections})
	assertKept(t, f)
	assert.LessOrEqual(t, f.RenewalLate.Value, 2*time.Second)
}

func TestStandbyThatMayNotWatchTakesOverOnTime(t *testing.T) {
	f := play(t, "kill", scenario.Options{Peer: "holdfast", Timing: scenario.Short, WithoutWatch: true})
	// A poll sees the last renewal up to 2.2 retry periods after it was
	// committed, and the lease counts from there.
	assertTakeoverWithin(t, time.Duration(2.2*float64(scenario.Short.RetryPeriod))+300*time.Millisecond, f)
}
