package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// threeLeaders is a stream in which a, b and c lead one after the other.
func threeLeaders() []event.Event {
	return event.Merge([]event.Event{
		does(-5, "a", event.Leading), renews(-5, "a"), renews(-0.49, "a"),
		does(0, "scenario", event.Fault), does(0.01, "a", event.Exited),
		renews(2.6, "b"), does(2.7, "b", event.Leading), renews(5.51, "b"),
		does(6, "scenario", event.Fault), does(6.1, "b", event.Stopping), does(6.2, "b", event.Stopped),
		renews(8.6, "c"), does(8.8, "c", event.Leading),
		does(10, "scenario", event.Ended),
		does(11, "c", event.Exited),
	})
}

func TestEachRoundOfASuccessionIsMeasuredByItself(t *testing.T) {
	rounds := scenario.Rounds(threeLeaders())
	require.Len(t, rounds, 2)
	for i, want := range []struct {
		leader, successor string
		takeover          time.Duration
	}{{"a", "b", 200 * time.Millisecond}, {"b", "c", 300 * time.Millisecond}} {
		f, err := scenario.Measure(rounds[i], 500*time.Millisecond)
		require.NoError(t, err)
		assert.Equal(t, want.leader, f.Leader)
		assert.Equal(t, want.successor, f.Successor)
		assertFigure(t, want.takeover, f.Takeover)
	}
	assert.Empty(t, scenario.Rounds(nil))
}

func TestTheLeaderIsWhoseWorkRan(t *testing.T) {
	for seconds, leader := range map[float64]string{-6: "", -1: "a", 1: "", 3: "b", 7: "", 9: "c"} {
		assert.Equal(t, leader, scenario.LeaderAt(threeLeaders(), at(seconds)), "at %v s", seconds)
	}
}

func TestAnEndingCountsFromTheLastRenewalAndTheLastFault(t *testing.T) {
	ending, err := scenario.MeasureEnding(threeLeaders(), "b")
	require.NoError(t, err)
	assertFigure(t, 600*time.Millisecond, ending.AfterRenewal)
	assertFigure(t, 100*time.Millisecond, ending.AfterFault)

	ending, err = scenario.MeasureEnding(threeLeaders(), "a")
	require.NoError(t, err)
	assert.Equal(t, scenario.Ending{}, ending, "killed work was not told to stop")
	_, err = scenario.MeasureEnding(nil, "a")
	assert.Error(t, err)
}

func TestAFleetCountsEachTimeWithoutALeaderAndAllOverlap(t *testing.T) {
	f, err := scenario.MeasureFleet(threeLeaders())
	require.NoError(t, err)
	assert.Equal(t, scenario.FleetFigures{Terms: 3, Leaderless: []time.Duration{2690 * time.Millisecond, 2600 * time.Millisecond}}, f)

	f, err = scenario.MeasureFleet(event.Merge([]event.Event{
		does(0, "a", event.Leading), does(1, "scenario", event.Fault), does(2, "b", event.Leading), does(2.5, "b", event.Lost),
		does(3, "b", event.Stopped), does(4, "a", event.Stopped), does(6, "scenario", event.Ended),
	}))
	require.NoError(t, err)
	assert.Equal(t, scenario.FleetFigures{Terms: 2, Leaderless: []time.Duration{2 * time.Second}, Overlap: time.Second, Lost: 1}, f)

	_, err = scenario.MeasureFleet([]event.Event{does(0, "scenario", event.Fault)})
	assert.ErrorContains(t, err, "nobody ever led")
}
