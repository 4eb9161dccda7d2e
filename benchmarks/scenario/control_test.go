package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// The control: the same checks, made of the reference implementation, can
// fail.

func TestClientGoLosesTheLeaseWhenItsAPIServerGoesSilent(t *testing.T) {
	f := play(t, "api-silent", scenario.Options{Peer: "client-go", Timing: scenario.Short})
	t.Logf("figure: client-go: lease kept %t, leases lost %d, the first %v after the fault, requests %v", f.Kept, f.Lost, f.LossAfter, f.Requests)
	assert.False(t, f.Kept)
	require.Positive(t, f.Lost)
	assert.Less(t, f.LossAfter.Value, scenario.Short.LeaseDuration+scenario.Short.RenewDeadline)
}

func TestClientGoTakesOverByPollingWhenTheLeaderIsKilled(t *testing.T) {
	f := play(t, "kill", scenario.Options{Peer: "client-go", Timing: scenario.Short})
	t.Logf("figure: client-go: takeover %v after the lease ended, requests %v", f.Takeover, f.Requests)
	require.True(t, f.Takeover.Known)
	// Two polls, one to see the last renewal and one to act.
	assert.Less(t, f.Takeover.Value, 2*time.Duration(2.2*float64(scenario.Short.RetryPeriod))+time.Second)
	// It compares records in whole seconds: of the renewals of one second, one
	// every RetryPeriod, it may have seen the first only.
	assert.Greater(t, f.Takeover.Value, -time.Second)
}
