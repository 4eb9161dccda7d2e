package labtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// patience is how long a step of a crew may take beyond one lease: starting a
// process, an election, client-go's polls. No figure depends on it.
const patience = 30 * time.Second

// Crew is a fleet whose mishaps fail the test.
type Crew struct {
	*scenario.Fleet
	t     *testing.T
	lease time.Duration
}

// NewCrew returns a crew that is closed with the test, and whose timeline is
// shown if the test fails. It takes o.Stderr for that.
func NewCrew(t *testing.T, stage *scenario.Stage, o scenario.FleetOptions) *Crew {
	t.Helper()
	var log Log
	o.Stderr = &log
	fleet, err := stage.NewFleet(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, fleet.Close())
		events := fleet.Events()
		Tell(t, events, event.FaultTime(events), &log)
	})
	return &Crew{Fleet: fleet, t: t, lease: o.Timing.LeaseDuration}
}

// Join starts a member and returns when it contends.
func (c *Crew) Join(m scenario.Member) {
	c.t.Helper()
	require.NoError(c.t, c.Start(m))
	c.Until(m.Identity+" to contend", func(events []event.Event) bool { return After(events, m.Identity, event.Requested) > 0 })
}

// Until waits for what is to come, which must not take long.
func (c *Crew) Until(what string, came func([]event.Event) bool) {
	c.t.Helper()
	require.NoError(c.t, c.Await(c.t.Context(), c.lease+patience, what, came))
}

// Leads waits until who leads.
func (c *Crew) Leads(who string) {
	c.t.Helper()
	c.Until(who+" to lead", func(events []event.Event) bool { return scenario.LeaderAt(events, time.Now()) == who })
}

// Succeeds waits until someone else than the one named leads, and returns who.
func (c *Crew) Succeeds(before string) string {
	c.t.Helper()
	leader := ""
	c.Until("someone other than "+before+" to lead", func(events []event.Event) bool {
		leader = scenario.LeaderAt(events, time.Now())
		return leader != "" && leader != before
	})
	return leader
}

// Exited waits until the process of who is gone.
func (c *Crew) Exited(who string) {
	c.t.Helper()
	c.Until(who+" to exit", func(events []event.Event) bool { return After(events, who, event.Exited) > 0 })
}

// Renewed waits until the leader has renewed n times since the standby has
// contended, so that the standby has seen it.
func (c *Crew) Renewed(leader string, n int, standby string) {
	c.t.Helper()
	c.Until(fmt.Sprintf("%s to renew %d times beside %s", leader, n, standby), func(events []event.Event) bool {
		from := After(events, standby, event.Requested)
		if from == 0 {
			return false
		}
		renewals := 0
		for _, e := range events[from:] {
			if e.What == event.Committed && e.Holder == leader {
				renewals++
			}
		}
		return renewals >= n
	})
}

// End closes the fleet and returns all its events.
func (c *Crew) End() []event.Event {
	c.t.Helper()
	require.NoError(c.t, c.Close())
	return c.Events()
}

// After returns the position after the first event of that kind of who; zero if
// there is none.
func After(events []event.Event, who string, what event.What) int {
	for i, e := range events {
		if e.Who == who && e.What == what {
			return i + 1
		}
	}
	return 0
}
