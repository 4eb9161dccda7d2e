package compare

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

var zero = time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)

func does(seconds float64, who string, what event.What) event.Event {
	return event.Event{Time: zero.Add(time.Duration(seconds * float64(time.Second))), Who: who, What: what}
}

func renews(seconds float64, holder string) event.Event {
	e := does(seconds, "observer", event.Committed)
	e.Holder, e.RenewTime, e.Lease = holder, e.Time, 3*time.Second
	return e
}

// figuresOf measures a run of the scenario of that name and returns its figures.
func figuresOf(t *testing.T, name string, events ...event.Event) map[string]float64 {
	t.Helper()
	played, err := scenario.Find(name)
	require.NoError(t, err)
	events = event.Merge(events)
	measured, err := scenario.Measure(events, 500*time.Millisecond)
	require.NoError(t, err)
	step := Step{Round: 2, Cell: Cell{Peer: "holdfast", Scenario: name, Timing: scenario.Short}}
	s := step.Sample(played, scenario.Result{Events: events, Figures: measured}, nil)
	assert.Equal(t, "failover holdfast "+name+" 3s/2s/500ms", s.Measure+" "+s.Peer+" "+s.Case+" "+s.Timing)
	assert.Empty(t, s.Events)
	return s.Figures
}

func TestTheFiguresOfATakeover(t *testing.T) {
	assert.InDeltaMapValues(t, map[string]float64{
		"takeover_seconds": 0.2, "outage_seconds": 2.7, "leases_lost_total": 0, "overlap_seconds": 0, "window_seconds": 3,
		"requests_leader_total": 1, "requests_standby_total": 2, "connections_total": 1,
	}, figuresOf(t, "kill",
		does(-5, "a", event.Leading), renews(-0.5, "a"), does(-4, "a", event.Requested), does(-4, "b", event.Connected),
		does(0, "scenario", event.Fault), does(0.01, "a", event.Requested), does(0.02, "a", event.Exited),
		does(1, "b", event.Requested), does(2.5, "b", event.Requested), does(2.5, "b", event.Connected),
		renews(2.6, "b"), does(2.7, "b", event.Leading),
		does(3, "scenario", event.Ended), does(3.1, "b", event.Connected), does(3.1, "b", event.Requested),
	), 1e-9)
}

func TestTheFiguresOfAHandover(t *testing.T) {
	f := figuresOf(t, "handover",
		does(-5, "a", event.Leading), renews(-0.5, "a"),
		does(0, "scenario", event.Fault), does(0.01, "a", event.Stopping), does(0.01, "a", event.Stopped), does(0.02, "observer", event.Released),
		renews(0.05, "b"), does(0.06, "b", event.Leading), does(1, "scenario", event.Ended),
	)
	assert.InDelta(t, 0.06, f["handover_seconds"], 1e-9)
	for _, absent := range []string{"takeover_seconds", "outage_seconds", "kept", "renewal_late_seconds", "standby_requests_per_minute"} {
		assert.NotContains(t, f, absent)
	}
}

func TestTheFiguresOfALeaseThatIsKept(t *testing.T) {
	assert.InDeltaMapValues(t, map[string]float64{
		"kept": 1, "renewal_late_seconds": 0.5, "leases_lost_total": 0, "overlap_seconds": 0, "window_seconds": 6,
		"requests_leader_total": 1, "requests_standby_total": 3, "standby_requests_per_minute": 30, "connections_total": 0,
	}, figuresOf(t, "api-silent",
		does(-5, "a", event.Leading), renews(-0.5, "a"), does(-0.1, "b", event.Requested),
		does(0, "scenario", event.Fault), renews(0.5, "a"), renews(1, "a"), renews(1.5, "a"), renews(2, "a"), renews(2.5, "a"), renews(3, "a"), renews(4, "a"), renews(5, "a"), renews(5.9, "a"),
		does(1, "b", event.Requested), does(2, "b", event.Requested), does(3, "b", event.Requested), does(3, "a", event.Requested),
		does(6, "scenario", event.Ended),
	), 1e-9)
}

func TestTheFiguresOfALeaseThatIsLost(t *testing.T) {
	f := figuresOf(t, "api-silent",
		does(-5, "a", event.Leading), renews(-0.5, "a"),
		does(0, "scenario", event.Fault), does(1, "b", event.Requested), does(2, "a", event.Lost), does(2, "a", event.Stopped),
		does(2.6, "b", event.Requested), does(3, "b", event.Requested), renews(3, "b"), does(4, "b", event.Leading),
		does(5, "b", event.Requested), does(6, "scenario", event.Ended),
	)
	assert.InDeltaMapValues(t, map[string]float64{
		"kept": 0, "loss_after_seconds": 2, "leases_lost_total": 1, "overlap_seconds": 0, "window_seconds": 6,
		"requests_leader_total": 0, "requests_standby_total": 4, "standby_requests_per_minute": 45, "connections_total": 0,
	}, f, 1e-9, "three requests in the four seconds in which b stood by")
}

func TestWorkOfTwoContendersAtOnceIsAFigure(t *testing.T) {
	f := figuresOf(t, "node-death",
		does(-5, "a", event.Leading), renews(-0.5, "a"), does(0, "scenario", event.Fault),
		renews(2.6, "b"), does(2.7, "b", event.Leading), does(3.2, "a", event.Stopped), does(4, "scenario", event.Ended),
	)
	assert.InDelta(t, 0.5, f["overlap_seconds"], 1e-9)
}
