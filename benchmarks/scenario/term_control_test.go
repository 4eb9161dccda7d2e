package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// The control: that two leaders at once are seen where there are two. The
// reference implementation releases the lease while its work winds down.
func TestClientGoLeadsTwiceWhileWorkThatNeedsThreeSecondsStops(t *testing.T) {
	const needed = 3 * time.Second
	c := crewOf(t, scenario.FleetOptions{Name: "slow-work-control", Timing: scenario.Short, ReleaseOnCancel: true, WorkStop: needed})
	c.Join(scenario.Member{Host: "host-0", Identity: "old", Peer: "client-go"})
	c.Succeeds("")
	c.Join(scenario.Member{Host: "host-1", Identity: "next", Peer: "client-go"})
	c.Renewed("old", 2, "next")
	require.NoError(t, c.Terminate("old"))
	c.Exited("old")
	f, err := scenario.Measure(c.End(), scenario.Short.RetryPeriod)
	require.NoError(t, err)
	t.Logf("figure: client-go, work that needs %v to stop, at %v: two leaders for %v, handover %v after SIGTERM", needed, scenario.Short, f.Overlap.Round(time.Millisecond), f.Outage)
	assert.Positive(t, f.Overlap)
	assert.LessOrEqual(t, f.Overlap, needed)
}
