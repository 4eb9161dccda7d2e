package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// of makes an event of a fleet.
func of(fleet, who string, k kind, s float64) event {
	return event{at: at(s), fleet: fleet, contender: who, kind: k}
}

func links(who string, s float64, endpoints ...string) event {
	e := of("holdfast", who, connected, s)
	e.endpoints = endpoints
	return e
}

func onEndpoint(name string, k kind, s float64) event {
	return event{at: at(s), endpoint: name, kind: k}
}

// seen is what is to be seen of holdfast and the endpoints after events.
func seen(now float64, events ...event) (view, fleetView) {
	b := newBoard(pageTiming, time.Minute, []string{"a", "b"}, []string{"client-go", "holdfast"}, []string{"one", "two", "three"}, 2)
	for _, e := range events {
		b.apply(e)
	}
	v := b.view(at(now))
	return v, v.Fleets[1]
}

func ms(seconds float64) int64 { return at(seconds).UnixMilli() }

func TestBeforeAnythingHappenedNobodyIsMissing(t *testing.T) {
	v, f := seen(5)
	assert.Equal(t, "free", f.Contenders[2].State)
	assert.Nil(t, f.Rollout)
	assert.Equal(t, "electing its first leader", f.Summary)
	assert.Zero(t, f.Leaderless)
	assert.Equal(t, "down", f.Contenders[0].State)
	assert.Equal(t, v.Now, v.Since)
	assert.Empty(t, v.Log)
}

func TestALostTermIsAGapUntilSomeoneLeads(t *testing.T) {
	history := []event{
		of("holdfast", "one", started, 0), of("holdfast", "one", leading, 1), of("holdfast", "two", started, 1),
		of("holdfast", "one", stopped, 10), of("holdfast", "one", exited, 10.1),
	}
	v, f := seen(12, history...)
	assert.Equal(t, "nobody leads for 2.00 s", f.Summary)
	assert.Empty(t, f.Leaders)
	assert.Equal(t, 1, f.Lost)
	assert.EqualValues(t, 2000, f.Leaderless, "a gap that lasts counts until now")
	assert.Equal(t, []stretchView{{From: ms(10)}}, f.Gaps)
	assert.Equal(t, "down", f.Contenders[0].State)
	assert.Equal(t, "stands by", f.Contenders[1].State)
	assert.Equal(t, []stretchView{{From: ms(1), To: ms(10), What: "one"}}, f.Contenders[0].Terms)
	assert.Equal(t, "client-go", v.Fleets[0].Name)
	assert.Zero(t, v.Fleets[0].Lost, "what becomes of one fleet is nothing to the other")

	v, f = seen(20, append(history, of("holdfast", "two", leading, 13))...)
	assert.Equal(t, "two leads", f.Summary)
	assert.EqualValues(t, 3000, f.Leaderless)
	assert.Equal(t, []stretchView{{From: ms(10), To: ms(13)}}, f.Gaps)
	assert.Equal(t, "two leads, after 3.00 s without a leader", v.Log[0].Text, "the latest comes first")
}

func TestWorkThatStopsAfterItsProcessExitedCountsOnce(t *testing.T) {
	_, f := seen(20,
		of("holdfast", "one", started, 0), of("holdfast", "one", leading, 1),
		of("holdfast", "one", exited, 10), of("holdfast", "one-2", started, 12),
		of("holdfast", "one", stopped, 13), of("holdfast", "one", stopped, 14))
	assert.Equal(t, 1, f.Lost)
	assert.Equal(t, []stretchView{{From: ms(1), To: ms(13), What: "one"}}, f.Contenders[0].Terms, "work counts, not the process")
	assert.Equal(t, "one-2", f.Contenders[0].Name, "the successor takes the slot")
	assert.Equal(t, "stands by", f.Contenders[0].State)
}

func TestWhatAPredecessorStillDoesEndsNoTermOfItsSuccessor(t *testing.T) {
	_, f := seen(20,
		of("holdfast", "one", started, 0), of("holdfast", "one", leading, 1), of("holdfast", "one", died, 5),
		of("holdfast", "one-2", started, 7), of("holdfast", "one-2", leading, 8), of("holdfast", "one", stopped, 9))
	assert.Equal(t, []string{"one-2"}, f.Leaders)
	assert.Zero(t, f.Lost)
}

func TestAKilledLeaderLosesNoLease(t *testing.T) {
	_, f := seen(20,
		of("holdfast", "one", started, 0), of("holdfast", "one", leading, 1), links("one", 1, "a"),
		of("holdfast", "one", died, 5), of("holdfast", "one", leading, 5.1), links("one", 5.1, "b"))
	assert.Zero(t, f.Lost)
	assert.EqualValues(t, 15000, f.Leaderless)
	one := f.Contenders[0]
	assert.Equal(t, "down", one.State, "a callback that came late brings nobody back")
	assert.Empty(t, one.Links, "nor does a last look at its connections")
	assert.Equal(t, []stretchView{{From: ms(1), To: ms(5), What: "a"}}, one.Linked)
}

func TestTwoThatLeadAtOnceAreShown(t *testing.T) {
	_, f := seen(9,
		of("holdfast", "one", started, 0), of("holdfast", "two", started, 0),
		of("holdfast", "one", leading, 1), of("holdfast", "two", leading, 5), of("holdfast", "one", stopped, 7))
	assert.Equal(t, []stretchView{{From: ms(5), To: ms(7)}}, f.Overlaps)
	assert.Equal(t, []string{"two"}, f.Leaders)
	assert.Zero(t, f.Leaderless)
}

func TestConnectionsAreCountedAndRemembered(t *testing.T) {
	_, f := seen(9, of("holdfast", "one", started, 0), links("one", 1, "a"), links("one", 4, "a", "b", "b"), links("two", 5, "a"))
	one := f.Contenders[0]
	assert.Equal(t, map[string]int{"a": 1, "b": 2}, one.Links)
	assert.Equal(t, []stretchView{{From: ms(1), To: ms(4), What: "a"}, {From: ms(4), What: "a b"}}, one.Linked)
	assert.Empty(t, f.Contenders[1].Links, "what does not run is not connected")
}

func TestFaultsLastUntilMended(t *testing.T) {
	v, f := seen(9, onEndpoint("a", silenced, 1), onEndpoint("b", frozen, 2), onEndpoint("b", mended, 3), onEndpoint("z", silenced, 3),
		of("holdfast", "one", started, 0), of("holdfast", "one", cut, 4), of("holdfast", "one", died, 5), of("holdfast", "one-2", started, 7))
	assert.Equal(t, endpointView{Name: "a", Fault: faultSilent, Faults: []stretchView{{From: ms(1), What: faultSilent}}, Named: []stretchView{}}, v.Endpoints[0])
	assert.Equal(t, endpointView{Name: "b", Faults: []stretchView{{From: ms(2), To: ms(3), What: faultFrozen}}, Named: []stretchView{}}, v.Endpoints[1])
	assert.True(t, f.Contenders[0].Cut, "a restart does not mend a network")
	require.Len(t, v.Endpoints, 2)
}

func TestTheLeaseIsThatOfTheLastRecord(t *testing.T) {
	record := of("holdfast", "one", renewed, 2)
	record.leaseEnd = at(5)
	_, f := seen(3, of("holdfast", "one", started, 0), record)
	assert.Equal(t, "one", f.Holder)
	assert.Equal(t, ms(5), f.LeaseEnd)
	assert.Equal(t, []int64{ms(2)}, f.Contenders[0].Renewals)
	_, f = seen(3, of("holdfast", "one", started, 0), record, of("holdfast", "", released, 3))
	assert.Empty(t, f.Holder)
	assert.Zero(t, f.LeaseEnd)
}

func TestTheBoardShowsWhatTheAddressNames(t *testing.T) {
	history := []event{
		onEndpoint("a", named, 0), onEndpoint("b", named, 0), {at: at(1), kind: slowed},
		onEndpoint("a", silenced, 2), onEndpoint("a", unnamed, 42),
	}
	v, _ := seen(50, history...)
	assert.True(t, v.Slow)
	assert.Equal(t, []stretchView{{From: ms(0), To: ms(42)}}, v.Endpoints[0].Named)
	assert.Equal(t, []stretchView{{From: ms(0)}}, v.Endpoints[1].Named)
	assert.Equal(t, "the address names endpoint a no more", v.Log[0].Text)
	v, _ = seen(51, append(history, event{at: at(51), kind: prompted})...)
	assert.False(t, v.Slow)
}

// revised makes an event of a process of a revision, or of its rollout.
func revised(revision int, who string, k kind, s float64) event {
	e := of("holdfast", who, k, s)
	e.revision = revision
	return e
}

func TestARolloutCountsItsChangesOfLeader(t *testing.T) {
	history := []event{
		of("holdfast", "one", started, 0), of("holdfast", "one", leading, 1), of("holdfast", "two", started, 1), of("holdfast", "two", standing, 2),
		of("holdfast", "one", died, 3), of("holdfast", "one-2", started, 4), of("holdfast", "two", leading, 5),
		revised(2, "", rolling, 10), revised(2, "three", started, 12), revised(2, "three", standing, 12.1),
		of("holdfast", "two", stopping, 13), of("holdfast", "two", stopped, 13), of("holdfast", "two", left, 13.1),
	}
	_, f := seen(13.5, history...)
	assert.Equal(t, &rolloutView{Lasts: true, Leaderless: 500}, f.Rollout, "what was before it does not count")
	assert.Zero(t, f.Lost, "it was told to stop")
	assert.Equal(t, "free", f.Contenders[1].State)
	assert.False(t, f.Contenders[1].Ready)
	assert.Equal(t, "stands by", f.Contenders[2].State)
	assert.True(t, f.Contenders[2].Ready)
	assert.Equal(t, 2, f.Contenders[2].Revision)

	history = append(history, of("holdfast", "one-2", leading, 14), revised(2, "two-2", started, 15), revised(2, "two-2", standing, 15),
		of("holdfast", "one-2", stopping, 16), of("holdfast", "one-2", stopped, 16), of("holdfast", "one-2", left, 16),
		revised(2, "three", leading, 16.25), revised(2, "", rolled, 17))
	v, f := seen(18, history...)
	assert.Equal(t, &rolloutView{Changes: 2, Leaderless: 1250}, f.Rollout)
	assert.Equal(t, "revision 2 has been rolled out: 2 changes of leader, 1.25 s without a leader", v.Log[0].Text)
	assert.Equal(t, "one-2, who leads, is told to stop", v.Log[2].Text)

	_, f = seen(30, append(history, of("holdfast", "three", stopped, 20))...)
	assert.Equal(t, &rolloutView{Changes: 2, Leaderless: 1250}, f.Rollout, "nor what comes after it")
	assert.Equal(t, 1, f.Lost)
}

func TestABoardStaysSmallAndRemembersSums(t *testing.T) {
	b := newBoard(pageTiming, time.Minute, []string{"a"}, []string{"holdfast"}, []string{"one"}, 1)
	b.apply(of("holdfast", "one", started, 0))
	for i := range 5000 {
		s := float64(i * 4)
		b.apply(of("holdfast", "one", leading, s))
		b.apply(of("holdfast", "one", renewed, s))
		b.apply(links("one", s, "a"))
		b.apply(onEndpoint("a", silenced, s))
		b.apply(onEndpoint("a", unnamed, s+.5))
		b.apply(onEndpoint("a", mended, s+1))
		b.apply(onEndpoint("a", named, s+1))
		b.apply(of("holdfast", "one", cut, s+1))
		b.apply(of("holdfast", "one", mended, s+2))
		b.apply(of("holdfast", "one", stopped, s+3))
	}
	v := b.view(at(4*5000 - 1))
	f, one := v.Fleets[0], v.Fleets[0].Contenders[0]
	const most = 17 // a minute's worth, and what began before it
	for name, n := range map[string]int{
		"gaps": len(f.Gaps), "terms": len(one.Terms), "cuts": len(one.Cuts), "linked": len(one.Linked),
		"renewals": len(one.Renewals), "faults": len(v.Endpoints[0].Faults), "named": len(v.Endpoints[0].Named), "log": len(v.Log),
	} {
		assert.LessOrEqual(t, n, most, name)
		assert.Positive(t, n, name)
	}
	assert.Equal(t, 5000, f.Lost)
	assert.EqualValues(t, 4999*1000, f.Leaderless, "the last gap has only begun")
}
