package scenario_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// patience is how long a step of a fleet may take beyond one lease: starting a
// process, an election, client-go's polls. No figure depends on it.
const patience = 30 * time.Second

// crew is a fleet whose mishaps fail the test.
type crew struct {
	*scenario.Fleet
	t      *testing.T
	timing scenario.Timing
}

// newCrew returns a fleet that is closed with the test, and whose timeline is
// shown if the test fails.
func newCrew(t *testing.T, o scenario.FleetOptions) *crew {
	t.Helper()
	_, stage := laboratory(t)
	var stderr lockedBuffer
	o.Stderr = &stderr
	fleet, err := stage.NewFleet(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, fleet.Close())
		if !t.Failed() {
			return
		}
		var timeline strings.Builder
		_ = event.Timeline(&timeline, fleet.Events(), faultTime(fleet.Events()))
		t.Logf("timeline:\n%s\nlog of the contenders:\n%s", timeline.String(), stderr.String())
	})
	return &crew{Fleet: fleet, t: t, timing: o.Timing}
}

// start starts a member and returns when it contends.
func (c *crew) start(m scenario.Member) {
	c.t.Helper()
	require.NoError(c.t, c.Start(m))
	c.until(m.Identity+" to contend", func(events []event.Event) bool { return when(events, m.Identity, event.Requested) > 0 })
}

// until waits for what is to come, which must not take long.
func (c *crew) until(what string, cond func([]event.Event) bool) {
	c.t.Helper()
	require.NoError(c.t, c.Await(c.t.Context(), c.timing.LeaseDuration+patience, what, cond))
}

// leads waits until someone else than the one named leads, and returns who.
func (c *crew) leads(before string) string {
	c.t.Helper()
	leader := ""
	c.until("someone other than "+before+" to lead", func(events []event.Event) bool {
		leader = scenario.LeaderAt(events, time.Now())
		return leader != "" && leader != before
	})
	return leader
}

// renewed waits until the leader has renewed n times since since was said by
// who, so that who has seen it.
func (c *crew) renewed(leader string, n int, who string, since event.What) {
	c.t.Helper()
	c.until(fmt.Sprintf("%s to renew %d times since %s has %s", leader, n, who, since), func(events []event.Event) bool {
		from := when(events, who, since)
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

// end closes the fleet and returns its whole stream.
func (c *crew) end() []event.Event {
	c.t.Helper()
	require.NoError(c.t, c.Close())
	return c.Events()
}

// when returns the position after the first event of that kind of who; zero if
// there is none.
func when(events []event.Event, who string, what event.What) int {
	for i, e := range events {
		if e.Who == who && e.What == what {
			return i + 1
		}
	}
	return 0
}
