package scenario_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// brief is the shortest lease that client-go's elector, which knows whole
// seconds only, can share.
var brief = scenario.Timing{LeaseDuration: time.Second, RenewDeadline: 700 * time.Millisecond, RetryPeriod: 200 * time.Millisecond}

const (
	// soon is what a takeover or a handover may take at the 99th percentile.
	soon = 100 * time.Millisecond
	// scheduling is how late a process on a busy machine may run a timer or a
	// signal handler.
	scheduling = 50 * time.Millisecond
)

// runs is how many there are of what is measured many times.
func runs() int {
	if *long {
		return 50
	}
	return 15
}

// termOf is how long a leader leads after its last renewal: rule 1 of the
// design.
func termOf(t scenario.Timing) time.Duration {
	return max(t.RenewDeadline, min(t.RenewDeadline+t.RetryPeriod, t.LeaseDuration-t.RetryPeriod))
}

// succession brings one leader after the other to its end and returns the
// figures of each round. A new standby replaces each.
func succession(t *testing.T, o scenario.FleetOptions, end func(*labtest.Crew, string) error) []scenario.Figures {
	c := crewOf(t, o)
	member := func(i int) scenario.Member {
		return scenario.Member{Host: fmt.Sprintf("host-%d", i%2), Identity: fmt.Sprintf("member-%d", i), Peer: "holdfast"}
	}
	c.Join(member(0))
	leader := c.Succeeds("")
	c.Join(member(1))
	for i := range runs() {
		standby := member(i + 1)
		c.Renewed(leader, 2, standby.Identity)
		wait(t, rand.N(o.Timing.RetryPeriod)) // the end may come at any moment between two renewals
		require.NoError(t, end(c, leader))
		leader = c.Succeeds(leader)
		c.Join(member(i + 2))
	}
	var figures []scenario.Figures
	for _, round := range scenario.Rounds(c.End()) {
		f, err := scenario.Measure(round, o.Timing.RetryPeriod)
		require.NoError(t, err)
		figures = append(figures, f)
	}
	require.Len(t, figures, runs())
	return figures
}

// wait lets d pass, unless the test ends.
func wait(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func summarize(t *testing.T, figures []scenario.Figures, of func(scenario.Figures) scenario.Figure) scenario.Summary {
	t.Helper()
	var values []time.Duration
	for _, f := range figures {
		figure := of(f)
		require.True(t, figure.Known, "%s: nobody took over in time", f.Leader)
		values = append(values, figure.Value)
	}
	return scenario.Summarize(values)
}

func TestTakeoversComeWithinATenthOfASecondOfTheLeaseEnd(t *testing.T) {
	figures := succession(t, scenario.FleetOptions{Name: "takeovers", Timing: brief}, (*labtest.Crew).Kill)
	takeover := summarize(t, figures, func(f scenario.Figures) scenario.Figure { return f.Takeover })
	t.Logf("figure: takeover after SIGKILL at %v, after the lease ended: %v", brief, takeover)
	assert.LessOrEqual(t, takeover.P99, soon)
	for _, f := range figures {
		assert.GreaterOrEqual(t, f.Takeover.Value, time.Duration(0), "%s took over before the lease of %s had ended", f.Successor, f.Leader)
		assert.Zero(t, f.Overlap)
	}
}

func TestHandoversComeWithinATenthOfASecond(t *testing.T) {
	figures := succession(t, scenario.FleetOptions{Name: "handovers", Timing: brief, ReleaseOnCancel: true}, (*labtest.Crew).Terminate)
	handover := summarize(t, figures, func(f scenario.Figures) scenario.Figure { return f.Outage })
	t.Logf("figure: handover after SIGTERM at %v: %v", brief, handover)
	assert.LessOrEqual(t, handover.P99, soon)
	for _, f := range figures {
		assert.True(t, f.AfterRelease.Known, "%s has released the lease", f.Leader)
		assert.Zero(t, f.Overlap)
		assert.Zero(t, f.Lost)
	}
}

func TestWorkThatNeedsThreeSecondsToStopNeverOverlaps(t *testing.T) {
	for _, timing := range []scenario.Timing{scenario.Short, brief} {
		t.Run(timing.LeaseDuration.String(), func(t *testing.T) {
			const needed = 3 * time.Second
			c := crewOf(t, scenario.FleetOptions{Name: "slow-work", Timing: timing, ReleaseOnCancel: true, WorkStop: needed})
			old, next := scenario.Member{Host: "host-0", Identity: "old", Peer: "holdfast"}, scenario.Member{Host: "host-1", Identity: "next", Peer: "holdfast"}
			c.Join(old)
			c.Succeeds("")
			c.Join(next)
			c.Renewed("old", 2, "next")
			require.NoError(t, c.Terminate("old"))
			c.Succeeds("old")
			c.Exited("old")
			f, err := scenario.Measure(c.End(), timing.RetryPeriod)
			require.NoError(t, err)
			t.Logf("figure: work that needs %v to stop, at %v: two leaders for %v, handover %v after SIGTERM, %v after the work had returned", needed, timing, f.Overlap.Round(time.Millisecond), f.Outage, f.AfterWork)
			assert.Zero(t, f.Overlap, "two leaders at once")
			assert.Zero(t, f.Lost, "the lease was kept until the work had returned")
			require.True(t, f.AfterWork.Known, "the old work had returned when the new began")
			assert.LessOrEqual(t, f.AfterWork.Value, soon)
			assert.GreaterOrEqual(t, f.Outage.Value, needed)
		})
	}
}

func TestWorkOnAHostThatIsCutOffIsCancelledWithinItsTerm(t *testing.T) {
	for _, timing := range []scenario.Timing{scenario.Short, brief} {
		for _, told := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v,SIGTERM=%t", timing.LeaseDuration, told), func(t *testing.T) {
				c := crewOf(t, scenario.FleetOptions{Name: "cut", Timing: timing, ReleaseOnCancel: true})
				c.Join(scenario.Member{Host: "host-0", Identity: "old", Peer: "holdfast"})
				c.Succeeds("")
				c.Join(scenario.Member{Host: "host-1", Identity: "next", Peer: "holdfast"})
				c.Renewed("old", 2, "next")
				wait(t, rand.N(timing.RetryPeriod))
				require.NoError(t, c.Cut("host-0"))
				if told {
					wait(t, timing.RetryPeriod) // a renewal is under way by now
					require.NoError(t, c.Terminate("old"))
				}
				c.Until("the work of old to be cancelled", func(events []event.Event) bool { return labtest.After(events, "old", event.Stopping) > 0 })
				c.Succeeds("old")
				events := c.End()
				ending, err := scenario.MeasureEnding(events, "old")
				require.NoError(t, err)
				f, err := scenario.Measure(events, timing.RetryPeriod)
				require.NoError(t, err)
				t.Logf("figure: host cut off at %v, told to stop %t: work cancelled %v after the last renewal (T is %v), %v after the last fault; takeover %v after the lease ended",
					timing, told, ending.AfterRenewal, termOf(timing), ending.AfterFault, f.Takeover)
				require.True(t, ending.AfterRenewal.Known)
				assert.LessOrEqual(t, ending.AfterRenewal.Value, termOf(timing)+scheduling)
				if told {
					assert.LessOrEqual(t, ending.AfterFault.Value, scheduling, "cancelled when it was told to stop, not when the release had failed")
				}
				assert.Zero(t, f.Overlap, "two leaders at once")
				assert.GreaterOrEqual(t, f.Takeover.Value, time.Duration(0))
				assert.LessOrEqual(t, f.Takeover.Value, 2*soon)
			})
		}
	}
}

func TestAnAnswerThatIsHeldBackDoesNotLengthenTheTerm(t *testing.T) {
	heldBack := func(t *testing.T, timing scenario.Timing, by time.Duration) {
		for _, peer := range []string{"holdfast", "client-go"} {
			t.Run(peer, func(t *testing.T) {
				c := crewOf(t, scenario.FleetOptions{Name: "held-back", Timing: timing})
				relay, err := c.NewRelay(t.Context(), "relay", 0)
				require.NoError(t, err)
				c.Join(scenario.Member{Host: "host-0", Identity: "old", Peer: peer, Through: relay})
				c.Succeeds("")
				c.Join(scenario.Member{Host: "host-1", Identity: "next", Peer: peer})
				c.Renewed("old", 2, "next")
				wait(t, rand.N(timing.RetryPeriod))
				require.NoError(t, relay.HoldBack(by))
				c.Until("the work of old to be cancelled", func(events []event.Event) bool { return labtest.After(events, "old", event.Stopping) > 0 })
				c.Succeeds("old")
				events := c.End()
				ending, err := scenario.MeasureEnding(events, "old")
				require.NoError(t, err)
				f, err := scenario.Measure(events, timing.RetryPeriod)
				require.NoError(t, err)
				t.Logf("figure: %s, an answer held back %v at %v: work cancelled %v after its last committed renewal (T is %v), two leaders for %v, takeover %v after the lease ended",
					peer, by, timing, ending.AfterRenewal, termOf(timing), f.Overlap.Round(time.Millisecond), f.Takeover)
				require.True(t, ending.AfterRenewal.Known)
				if peer == "client-go" {
					return // the control: it counts from the answer
				}
				assert.LessOrEqual(t, ending.AfterRenewal.Value, termOf(timing)+scheduling)
				assert.Zero(t, f.Overlap, "two leaders at once")
			})
		}
	}
	t.Run("short", func(t *testing.T) { heldBack(t, scenario.Short, 960*time.Millisecond) })
	if *long {
		t.Run("long", func(t *testing.T) { heldBack(t, scenario.Long, 4800*time.Millisecond) })
	}
}
