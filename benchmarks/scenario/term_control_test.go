package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// The control: that two leaders at once are seen where there are two. The
// reference implementation releases the lease while its work winds down.
func TestClientGoLeadsTwiceWhileWorkThatNeedsThreeSecondsStops(t *testing.T) {
	const needed = 3 * time.Second
	c := newCrew(t, scenario.FleetOptions{Name: "slow-work-control", Timing: scenario.Short, ReleaseOnCancel: true, WorkStop: needed})
	c.start(scenario.Member{Host: "host-0", Identity: "old", Peer: "client-go"})
	c.leads("")
	c.start(scenario.Member{Host: "host-1", Identity: "next", Peer: "client-go"})
	c.renewed("old", 2, "next", event.Requested)
	require.NoError(t, c.Terminate("old"))
	c.until("old to exit", func(events []event.Event) bool { return when(events, "old", event.Exited) > 0 })
	f, err := scenario.Measure(c.end(), scenario.Short.RetryPeriod)
	require.NoError(t, err)
	t.Logf("figure: client-go, work that needs %v to stop, at %v: two leaders for %v, handover %v after SIGTERM", needed, scenario.Short, f.Overlap.Round(time.Millisecond), f.Outage)
	assert.Positive(t, f.Overlap)
	assert.LessOrEqual(t, f.Overlap, needed)
}
