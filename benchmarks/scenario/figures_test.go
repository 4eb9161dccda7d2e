package scenario_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

var zero = time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return zero.Add(time.Duration(seconds * float64(time.Second)))
}

func does(seconds float64, who string, what event.What) event.Event {
	return event.Event{Time: at(seconds), Who: who, What: what}
}

// renews is a renewal stamped 10 ms before the observer saw it.
func renews(seconds float64, holder string) event.Event {
	return event.Event{Time: at(seconds), Who: "observer", What: event.Committed, Holder: holder, RenewTime: at(seconds - 0.01), Lease: 3 * time.Second}
}

func measure(t *testing.T, events ...event.Event) scenario.Figures {
	t.Helper()
	figures, err := scenario.Measure(event.Merge(events), 500*time.Millisecond)
	require.NoError(t, err)
	return figures
}

func assertFigure(t *testing.T, want time.Duration, got scenario.Figure) {
	t.Helper()
	assert.True(t, got.Known, "known")
	assert.Equal(t, want, got.Value)
}

func TestATakeoverCountsFromTheEndOfTheLease(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), renews(-5, "a"), renews(-0.49, "a"),
		does(0, "scenario", event.Fault), does(0.01, "a", event.Exited),
		renews(2.6, "b"), does(2.7, "b", event.Leading),
		does(3, "scenario", event.Ended),
	)
	assert.Equal(t, "a", f.Leader)
	assert.Equal(t, "b", f.Successor)
	assert.Equal(t, at(2.5), f.LeaseEnd)
	assertFigure(t, 200*time.Millisecond, f.Takeover)
	assertFigure(t, 2700*time.Millisecond, f.Outage)
	assertFigure(t, 2690*time.Millisecond, f.AfterWork)
	assert.False(t, f.AfterRelease.Known)
	assert.False(t, f.Kept)
	assert.Zero(t, f.Lost)
	assert.Zero(t, f.Overlap)
}

func TestARenewalThatIsCommittedAfterTheFaultProlongsTheLease(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), renews(-0.1, "a"),
		does(0, "scenario", event.Fault),
		renews(0.01, "a"), renews(3.5, "b"), does(3.5, "b", event.Leading),
	)
	assert.Equal(t, at(3), f.LeaseEnd)
	assertFigure(t, 500*time.Millisecond, f.Takeover)
}

func TestATakeoverOfALeaseThatHasNotEndedIsNegative(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), renews(-0.1, "a"),
		does(0, "scenario", event.Fault), does(2, "b", event.Leading), renews(2, "b"),
	)
	assertFigure(t, -890*time.Millisecond, f.Takeover)
}

func TestAHandoverCountsFromSIGTERMFromTheWorkAndFromTheRelease(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), renews(-0.1, "a"),
		does(0, "scenario", event.Fault), does(0.01, "a", event.Stopping), does(0.05, "a", event.Stopped),
		does(0.07, "observer", event.Released), does(0.09, "a", event.Exited),
		renews(0.1, "b"), does(0.11, "b", event.Leading),
	)
	assertFigure(t, 110*time.Millisecond, f.Outage)
	assertFigure(t, 60*time.Millisecond, f.AfterWork)
	assertFigure(t, 40*time.Millisecond, f.AfterRelease)
	assert.False(t, f.Takeover.Known, "the lease was released and had no end of its own")
	assert.Zero(t, f.Lost, "nobody lost what was released")
	assert.False(t, f.Kept)
}

func TestAReleaseThatTheObserverSeesLateIsStillARelease(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), renews(-0.1, "a"),
		does(0, "scenario", event.Fault), does(0.11, "b", event.Leading),
		does(0.12, "observer", event.Released), renews(0.13, "b"), does(9, "observer", event.Released),
	)
	assertFigure(t, -10*time.Millisecond, f.AfterRelease)
	assert.False(t, f.Takeover.Known)
}

func TestAKeptLeaseShowsItsLatestRenewal(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), renews(-1, "a"), renews(-0.5, "a"),
		does(0, "scenario", event.Fault),
		renews(0.39, "a"), renews(0.88, "a"),
		does(1, "scenario", event.Ended),
	)
	assert.True(t, f.Kept)
	assert.Empty(t, f.Successor)
	assert.False(t, f.Takeover.Known)
	assertFigure(t, 400*time.Millisecond, f.RenewalLate)
}

func TestARenewalThatIsStillMissingAtTheEndIsLate(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), renews(-0.5, "a"),
		does(0, "scenario", event.Fault), renews(0.01, "a"),
		does(2.5, "scenario", event.Ended),
	)
	assertFigure(t, 2*time.Second, f.RenewalLate)
}

func TestALostLeaseIsNotKept(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), renews(-0.1, "a"),
		does(0, "scenario", event.Fault), renews(0.3, "a"),
		does(2, "a", event.Stopping), does(2, "a", event.Stopped), does(2.1, "a", event.Lost),
		does(5, "scenario", event.Ended),
	)
	assert.Equal(t, 1, f.Lost)
	assertFigure(t, 2100*time.Millisecond, f.LossAfter)
	assert.False(t, f.Kept)
	assert.False(t, f.RenewalLate.Known)
}

func TestALeaseThatNobodyRenewsIsNotKept(t *testing.T) {
	f := measure(t, does(-5, "a", event.Leading), renews(-0.1, "a"), does(0, "scenario", event.Fault), does(5, "scenario", event.Ended))
	assert.False(t, f.Kept)
}

func TestWorkOfTwoLeadersAtOnceIsOverlap(t *testing.T) {
	lead := []event.Event{does(-5, "a", event.Leading), renews(-1, "a"), does(0, "scenario", event.Fault), does(2, "b", event.Leading)}
	for name, c := range map[string]struct {
		then []event.Event
		want time.Duration
	}{
		"the old one returns later":     {[]event.Event{does(3.5, "a", event.Stopped), does(5, "scenario", event.Ended)}, 1500 * time.Millisecond},
		"the old one is killed later":   {[]event.Event{does(3, "a", event.Exited), does(5, "scenario", event.Ended)}, time.Second},
		"the old one never returns":     {[]event.Event{does(5, "scenario", event.Ended)}, 3 * time.Second},
		"what comes after the end":      {[]event.Event{does(5, "scenario", event.Ended), does(9, "a", event.Stopped)}, 3 * time.Second},
		"the new one returns first":     {[]event.Event{does(3, "b", event.Stopped), does(5, "scenario", event.Ended)}, time.Second},
		"twice":                         {[]event.Event{does(3, "b", event.Stopped), does(4, "b", event.Leading), does(5, "scenario", event.Ended)}, 2 * time.Second},
		"stopping is not yet stopped":   {[]event.Event{does(1, "a", event.Stopping), does(4, "a", event.Stopped)}, 2 * time.Second},
		"none: the old one had stopped": {[]event.Event{does(1, "a", event.Stopped), does(5, "scenario", event.Ended)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, measure(t, append(c.then, lead...)...).Overlap)
		})
	}
}

func TestRequestsCountFromTheFaultToTheEnd(t *testing.T) {
	f := measure(t,
		does(-5, "a", event.Leading), does(-1, "a", event.Requested),
		does(0, "scenario", event.Fault), does(0.5, "a", event.Requested), does(1, "a", event.Requested), does(1, "b", event.Requested),
		does(2, "scenario", event.Ended), does(3, "b", event.Requested),
	)
	assert.Equal(t, map[string]int{"a": 2, "b": 1}, f.Requests)
	assert.Equal(t, 2*time.Second, f.Window)
}

func TestAStreamThatCannotBeMeasuredIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		events []event.Event
		says   string
	}{
		"no events":      {nil, "no fault"},
		"no fault":       {[]event.Event{does(0, "a", event.Leading)}, "no fault"},
		"fault too late": {[]event.Event{does(0, "a", event.Leading), does(1, "scenario", event.Ended), does(2, "scenario", event.Fault)}, "no fault"},
		"no leader":      {[]event.Event{does(0, "scenario", event.Fault)}, "nobody led"},
		"not readable":   {[]event.Event{{Time: at(0), Who: "a", What: event.Unreadable, Reason: "panic"}, does(1, "scenario", event.Fault)}, "panic"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scenario.Measure(c.events, time.Second)
			assert.ErrorContains(t, err, c.says)
		})
	}
}

func TestASummaryIsOneLine(t *testing.T) {
	for text, values := range map[string][]time.Duration{
		"none": nil, "1s": {time.Second}, "n=3 median 2s p99 3s max 3s": {3 * time.Second, time.Second, 2 * time.Second},
	} {
		assert.Equal(t, text, scenario.Summarize(values).String())
	}
}

func TestAnUnknownScenarioIsNamedWithThoseThereAre(t *testing.T) {
	_, err := scenario.Find("flood")
	require.ErrorContains(t, err, `"flood"`)
	for _, s := range scenario.All() {
		assert.ErrorContains(t, err, s.Name)
		found, err := scenario.Find(s.Name)
		require.NoError(t, err)
		assert.Equal(t, s.Text, found.Text)
	}
}
