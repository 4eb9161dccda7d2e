package scenario

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

func happens(seconds float64, who string, what event.What) event.Event {
	return event.Event{Time: after(seconds), Who: who, What: what}
}

// renewed is a renewal of a lease of 3 s, seen 10 ms after it was stamped.
func renewed(seconds float64, holder string) event.Event {
	return event.Event{Time: after(seconds), Who: stage.Observer, What: event.Committed, Holder: holder, RenewTime: after(seconds - 0.01), Lease: 3 * time.Second}
}

func breaks(seconds float64, who string) event.Event {
	return event.Event{Time: after(seconds), Who: stage.Narrator, What: event.Fault, On: who}
}

// fromOutside returns what follows from events, and both together.
func fromOutside(events ...event.Event) (derived, all []event.Event) {
	var o outside
	for _, e := range events {
		derived = append(derived, o.derive(e)...)
	}
	return derived, event.Merge(events, derived)
}

type said struct {
	seconds float64
	who     string
	what    event.What
}

func assertSays(t *testing.T, want []said, derived []event.Event) {
	t.Helper()
	var got []said
	for _, e := range derived {
		got = append(got, said{e.Time.Sub(noon).Seconds(), e.Who, e.What})
	}
	assert.Equal(t, want, got)
}

func TestWhomTheLeaseNamesLeads(t *testing.T) {
	derived, _ := fromOutside(renewed(0, "a"), renewed(0.5, "a"), happens(1, "b", event.Requested))
	assertSays(t, []said{{0, "a", event.Leading}}, derived)
}

func TestALeaderWhoseHostIsSilentLosesNothingAndIsSucceeded(t *testing.T) {
	derived, all := fromOutside(
		renewed(0, "a"), breaks(1, "a"), happens(2.5, "a", event.Exited), renewed(3.2, "b"), happens(4, stage.Narrator, event.Ended),
	)
	assertSays(t, []said{{0, "a", event.Leading}, {3.2, "b", event.Leading}}, derived)
	f, err := Measure(all, time.Second)
	require.NoError(t, err)
	assert.Equal(t, 2200*time.Millisecond, f.Leaderless)
	assert.Equal(t, 210*time.Millisecond, f.Takeover.Value)
	assert.Zero(t, f.Lost)
	assert.False(t, f.LeaderlessAtEnd)
}

func TestALeaseThatIsTakenFromOneThatRunsOnIsNoTwoLeaders(t *testing.T) {
	derived, all := fromOutside(renewed(0, "a"), breaks(1, "a"), renewed(3.2, "b"), happens(4, stage.Narrator, event.Ended))
	assertSays(t, []said{{0, "a", event.Leading}, {2.99, "a", event.Stopped}, {3.2, "b", event.Leading}}, derived)
	f, err := Measure(all, time.Second)
	require.NoError(t, err)
	assert.Equal(t, 2200*time.Millisecond, f.Leaderless)
	assert.Zero(t, f.Overlap)
}

func TestAProgramThatExitsWithoutBeingHarmedHasLostItsLease(t *testing.T) {
	derived, all := fromOutside(
		renewed(0, "a"), breaks(1, "api-0"), happens(2, "a", event.Exited), happens(5, stage.Narrator, event.Ended), happens(6, "b", event.Exited),
	)
	assertSays(t, []said{{0, "a", event.Leading}, {2, "a", event.Lost}}, derived)
	f, err := Measure(all, time.Second)
	require.NoError(t, err)
	assert.Equal(t, 1, f.Lost)
	assert.Equal(t, 3*time.Second, f.Leaderless)
	assert.True(t, f.LeaderlessAtEnd)
}

func TestALeaseThatRanOutIsLostThoughItsHolderTakesItAgain(t *testing.T) {
	derived, all := fromOutside(renewed(0, "a"), breaks(1, "api-0"), renewed(5, "a"), happens(6, stage.Narrator, event.Ended))
	assertSays(t, []said{{0, "a", event.Leading}, {2.99, "a", event.Lost}, {2.99, "a", event.Stopped}, {5, "a", event.Leading}}, derived)
	f, err := Measure(all, time.Second)
	require.NoError(t, err)
	assert.Equal(t, 2010*time.Millisecond, f.Leaderless)
}

func TestALeaseThatHasEndedByTheEndOfTheRunIsLost(t *testing.T) {
	derived, _ := fromOutside(renewed(0, "a"), breaks(1, "api-0"), happens(5, stage.Narrator, event.Ended), happens(6, "a", event.Exited))
	assertSays(t, []said{{0, "a", event.Leading}, {2.99, "a", event.Lost}, {2.99, "a", event.Stopped}}, derived)
}

func TestARenewalThatIsSeenLateIsStillInTime(t *testing.T) {
	late := renewed(4, "a")
	late.RenewTime = after(2.9)
	derived, _ := fromOutside(renewed(0, "a"), late)
	assertSays(t, []said{{0, "a", event.Leading}}, derived)
}

func TestALeaderThatIsToldToStopReleasesAndLosesNothing(t *testing.T) {
	release := happens(1.1, stage.Observer, event.Released)
	derived, all := fromOutside(
		renewed(0, "a"), breaks(1, "a"), release, happens(1.15, "a", event.Exited), renewed(1.2, "b"), happens(2, stage.Narrator, event.Ended),
	)
	assertSays(t, []said{{0, "a", event.Leading}, {1.1, "a", event.Stopped}, {1.2, "b", event.Leading}}, derived)
	f, err := Measure(all, time.Second)
	require.NoError(t, err)
	assert.Equal(t, 200*time.Millisecond, f.Outage.Value)
	assert.Equal(t, 200*time.Millisecond, f.Leaderless, "who was told to stop leads no longer")

	derived, _ = fromOutside(renewed(0, "a"), breaks(1, "api-0"), release)
	assertSays(t, []said{{0, "a", event.Leading}, {1.1, "a", event.Lost}, {1.1, "a", event.Stopped}}, derived)
}

func TestTheLeaseIsHeldByWhoRunsAndHasRenewedIt(t *testing.T) {
	assert.False(t, held(nil, after(0)))
	assert.True(t, held([]event.Event{renewed(0, "a")}, after(2.9)))
	assert.False(t, held([]event.Event{renewed(0, "a")}, after(3)), "it has ended")
	assert.False(t, held([]event.Event{renewed(0, "a"), happens(1, "a", event.Exited)}, after(1)))
	assert.True(t, held([]event.Event{renewed(0, "a"), happens(1, "b", event.Exited)}, after(1)))
	assert.False(t, held([]event.Event{renewed(0, "a"), happens(1, stage.Observer, event.Released)}, after(1)))
}

func TestTheTimingIsReadFromTheLease(t *testing.T) {
	var events []event.Event
	for i := range 4 {
		e := renewed(float64(i)*2.004, "contender-1")
		e.Lease = 15 * time.Second
		events = append(events, e, renewed(float64(i), "contender-2"))
	}
	got, err := timingOf(events)
	require.NoError(t, err)
	assert.Equal(t, Long, got)

	got, err = timingOf([]event.Event{renewed(0, "contender-1"), renewed(0.513, "contender-1")})
	require.NoError(t, err)
	assert.Equal(t, Short, got)

	_, err = timingOf([]event.Event{renewed(0, "contender-1")})
	assert.ErrorContains(t, err, "not renewed")
}

func TestTheStandbyIsCountedWhileNothingIsWrong(t *testing.T) {
	ask := func(seconds float64, who, about string) event.Event {
		e := happens(seconds, who, event.Requested)
		e.On = about
		return e
	}
	events := []event.Event{
		ask(0, "b", theLease), happens(1, stage.Narrator, event.Settled),
		ask(2, "b", theLease), ask(2, "a", theLease), ask(3, "b", ""), ask(4, "b", "configmaps"), ask(10, "b", theLease),
	}
	assert.Equal(t, Asked{Lease: 2, Other: 1, Over: 8 * time.Second}, askedAtRest(events, "a", after(9)))
	assert.Equal(t, Asked{}, askedAtRest(events[2:], "a", after(9)), "nobody says that both contend")
}
