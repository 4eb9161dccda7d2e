package matrix

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

var zero = time.Date(2026, 11, 23, 22, 0, 0, 0, time.UTC)

func at(d time.Duration, e event.Event) event.Event {
	e.Time = zero.Add(d)
	return e
}

func change(d time.Duration, n int) event.Event {
	return at(d, event.Event{Who: stage.Observer, What: event.Changed, On: "object", Reason: strconv.Itoa(n)})
}

func seen(d time.Duration, n int) event.Event {
	return at(d, event.Event{Who: "watch-new-connections", What: event.Seen, On: "object", Reason: strconv.Itoa(n)})
}

func theFault(d time.Duration) event.Event {
	return at(d, event.Event{Who: stage.Narrator, What: event.Fault, On: "server", Reason: "silence"})
}

func theEnd(d time.Duration) event.Event {
	return at(d, event.Event{Who: stage.Narrator, What: event.Ended})
}

func cellFrom(c Column, b Bounds, events ...event.Event) Cell {
	return measure(Fault{Name: "silence"}, c, "object", b, true, event.Merge(events), scenario.Short)
}

func TestAChangeIsSeenByItselfOrByALaterOne(t *testing.T) {
	events := []event.Event{
		change(-2000*ms, 1), seen(-500*ms, 1), // before what counts
		change(-100*ms, 2), theFault(0), change(150*ms, 3), change(400*ms, 4),
		seen(700*ms, 4), change(750*ms, 5), seen(760*ms, 5), theEnd(5000 * ms),
	}
	watch := Column{Watch, fresh}
	cell := cellFrom(watch, Bounds{Unseen: 800 * ms}, events...)
	assert.Equal(t, []Check{{"unseen", 800 * ms, known(800 * ms)}}, cell.Checks, "change 2, seen as change 4")
	assert.Equal(t, Held, cell.Verdict())
	assert.Equal(t, Broken, cellFrom(watch, Bounds{Unseen: 799 * ms}, events...).Verdict())

	blind := append(events, change(1000*ms, 6))
	assert.Equal(t, known(4000*ms), cellFrom(watch, Bounds{Unseen: time.Second}, blind...).Checks[0].Measured, "never seen counts up to the end")
}

func writes(what event.What, from, to time.Duration) []event.Event {
	w := event.Event{Who: "writer-http2", Verb: verbUpdate}
	begin, end := w, w
	begin.What, end.What, end.Took = event.Asking, what, to-from
	return []event.Event{at(from, begin), at(to, end)}
}

func TestAWriterIsMeasuredByItsLongestUpdateAndItsLongestFailure(t *testing.T) {
	writer := Column{Writer, traffic}
	bounds := Bounds{Write: 2 * time.Second, WriteAgain: 3 * time.Second}
	var events []event.Event
	events = append(events, writes(event.Answered, -5000*ms, -300*ms)...) // long ago
	events = append(events, theFault(0))
	events = append(events, writes(event.Refused, -100*ms, 1600*ms)...)
	events = append(events, writes(event.Refused, 1700*ms, 1900*ms)...)
	events = append(events, writes(event.Answered, 2500*ms, 2600*ms)...)
	events = append(events, theEnd(3000*ms))
	cell := cellFrom(writer, bounds, events...)
	assert.Equal(t, []Check{{"update", 2 * time.Second, known(1700 * ms)}, {"none succeeds", 3 * time.Second, known(2600 * ms)}}, cell.Checks)

	hung := append(events[:len(events)-1:len(events)-1], at(2700*ms, event.Event{Who: "writer-http2", What: event.Asking, Verb: verbUpdate}), theEnd(9000*ms))
	cell = cellFrom(writer, bounds, hung...)
	assert.Equal(t, known(6300*ms), cell.Checks[0].Measured, "an update that never returned")
	assert.Equal(t, known(6400*ms), cell.Checks[1].Measured)
	assert.Equal(t, Broken, cell.Verdict())
}

func renewal(d time.Duration, holder string) event.Event {
	return at(d, event.Event{Who: stage.Observer, What: event.Committed, On: "object", Holder: holder, RenewTime: zero.Add(d), Lease: 3 * time.Second})
}

func said(d time.Duration, who string, what event.What) event.Event {
	return at(d, event.Event{Who: who, What: what})
}

func TestALeaderIsMeasuredByItsLatestRenewal(t *testing.T) {
	leader := Column{Leader, fresh}
	bounds := Bounds{RenewalLate: 2 * time.Second}
	events := []event.Event{
		said(-900*ms, "leader-new-connections", event.Leading), renewal(-900*ms, "leader-new-connections"), renewal(-400*ms, "leader-new-connections"),
		theFault(0), renewal(250*ms, "leader-new-connections"), renewal(750*ms, "leader-new-connections"), theEnd(1000 * ms),
		// Clearing up is no exit of its own.
		said(1100*ms, "leader-new-connections", event.Exited),
	}
	cell := cellFrom(leader, bounds, events...)
	assert.Equal(t, known(150*ms), cell.Checks[0].Measured)
	assert.Equal(t, Held, cell.Verdict())

	gone := append(events, said(500*ms, "leader-new-connections", event.Lost), said(510*ms, "leader-new-connections", event.Exited))
	cell = cellFrom(leader, bounds, gone...)
	assert.Equal(t, Broken, cell.Verdict())
	assert.Contains(t, cell.Wrong, "LOST THE LEASE")

	other := append(events, at(600*ms, event.Event{Who: stage.Observer, What: event.Committed, On: "another", Holder: "someone"}))
	assert.Equal(t, Held, cellFrom(leader, bounds, other...).Verdict(), "another column's Lease")
}

func written(d, took time.Duration, verb string, server int, what event.What) event.Event {
	return at(d, event.Event{Who: "leader-new-connections", What: what, Verb: verb, On: strconv.Itoa(server), Took: took})
}

func TestADeposedLeaderIsMeasuredByItsLastWriteAndItsSuccessorByItsFirst(t *testing.T) {
	leader := Column{Leader, fresh}
	bounds := Bounds{Late: 100 * ms, Kept: 300 * ms, Told: time.Second}
	taken := at(0, event.Event{Who: stage.Narrator, What: event.Fault, On: "leader-new-connections", Reason: "deposed"})
	events := []event.Event{
		written(-200*ms, 10*ms, verbOld, 0, event.Answered), written(-150*ms, 10*ms, verbNew, 0, event.Refused), taken,
		written(90*ms, 20*ms, verbOld, 0, event.Answered), written(150*ms, 10*ms, verbOld, 0, event.Refused),
		written(50*ms, 10*ms, verbNew, 0, event.Refused), written(60*ms, 10*ms, verbNew, 1, event.Answered), written(70*ms, 10*ms, verbNew, 2, event.Answered),
		written(250*ms, 10*ms, verbNew, 0, event.Answered), written(400*ms, 10*ms, verbNew, 1, event.Answered),
		said(800*ms, "leader-new-connections", event.Stopping), said(810*ms, "leader-new-connections", event.Exited), theEnd(2000 * ms),
	}
	cell := cellFrom(leader, bounds, events...)
	assert.Equal(t, []Check{
		{"old leader's last write", 100 * ms, known(70 * ms)}, {"new leader's first write", 300 * ms, known(250 * ms)}, {"told", time.Second, known(800 * ms)},
	}, cell.Checks)
	assert.Equal(t, Held, cell.Verdict())

	failed := append(events, written(500*ms, 10*ms, verbNew, 1, event.Failed))
	assert.Equal(t, Broken, cellFrom(leader, bounds, failed...).Verdict())
	idle := cellFrom(leader, bounds, taken, events[6], theEnd(2000*ms))
	assert.False(t, idle.Checks[0].Measured.Known, "one that wrote nothing was refused nothing")
	assert.False(t, idle.Checks[1].Measured.Known, "not through each server")
	assert.False(t, idle.Checks[2].Measured.Known)
}

func TestALeaderThatCanReachNobodyStopsInTime(t *testing.T) {
	leader := Column{Leader, fresh}
	events := []event.Event{
		said(-900*ms, "leader-new-connections", event.Leading), renewal(-400*ms, "leader-new-connections"), theFault(0),
		said(2100*ms, "leader-new-connections", event.Stopping), said(2101*ms, "leader-new-connections", event.Stopped),
		said(2102*ms, "leader-new-connections", event.Exited), theEnd(5000 * ms),
	}
	assert.Equal(t, Held, cellFrom(leader, Bounds{StopAfter: 2500 * ms}, events...).Verdict())
	assert.Equal(t, Broken, cellFrom(leader, Bounds{StopAfter: 2499 * ms}, events...).Verdict())
	without := append(events[:3:3], theEnd(5000*ms))
	assert.Equal(t, Broken, cellFrom(leader, Bounds{StopAfter: 2500 * ms}, without...).Verdict(), "work that goes on")
}

func TestACandidateIsMeasuredFromTheEndOfTheDeadLeadersLease(t *testing.T) {
	candidate := Column{Candidate, fresh}
	dead := candidate.doomedName()
	upTo := func(takeover time.Duration) []event.Event {
		return []event.Event{
			said(-900*ms, dead, event.Leading), renewal(-400*ms, dead), theFault(0), said(1*ms, dead, event.Exited),
			renewal(takeover, candidate.name()), said(takeover, candidate.name(), event.Leading), theEnd(9000 * ms),
		}
	}
	bounds := Bounds{Takeover: 500 * ms}
	assert.Equal(t, Held, cellFrom(candidate, bounds, upTo(3100*ms)...).Verdict(), "the lease ended at 2.6 s")
	assert.Equal(t, Broken, cellFrom(candidate, bounds, upTo(3101*ms)...).Verdict())
	assert.Equal(t, Broken, cellFrom(candidate, bounds, upTo(2599*ms)...).Verdict(), "too early")
	assert.Equal(t, Broken, cellFrom(candidate, bounds, append(upTo(9000 * ms)[:4], theEnd(9000*ms))...).Verdict(), "never")
}

func TestAFaultOfAColumnsOwnCountsForItAlone(t *testing.T) {
	own := at(300*ms, event.Event{Who: stage.Narrator, What: event.Fault, On: "watch-new-connections"})
	others := at(100*ms, event.Event{Who: stage.Narrator, What: event.Fault, On: "leader-new-connections"})
	watch := Column{Watch, fresh}
	cell := cellFrom(watch, Bounds{Unseen: time.Second}, others, own, change(350*ms, 1), seen(400*ms, 1), theEnd(time.Second))
	assert.Equal(t, Held, cell.Verdict())
	cell = cellFrom(watch, Bounds{Unseen: time.Second}, others, change(350*ms, 1), seen(400*ms, 1), theEnd(time.Second))
	assert.Equal(t, Untested, cell.Verdict(), "its moment never came")
}

func TestAColumnHasRecoveredWhenItIsUpToDate(t *testing.T) {
	watch, writer := Column{Watch, fresh}, Column{Writer, traffic}
	blind := []event.Event{change(0, 1), seen(10*ms, 1), change(time.Second, 5)}
	assert.False(t, recovered(watch, "object", Bounds{}, 0, blind, zero.Add(time.Second)), "four changes behind are a second")
	assert.True(t, recovered(watch, "object", Bounds{}, ms, blind, zero.Add(time.Second)), "as late as answers are")
	assert.True(t, recovered(watch, "object", Bounds{}, 0, append(blind, seen(1100*ms, 2)), zero.Add(time.Second)))

	wrote := writes(event.Answered, 0, 0)
	assert.True(t, recovered(writer, "object", Bounds{}, 0, wrote, zero.Add(999*ms)))
	assert.False(t, recovered(writer, "object", Bounds{}, 0, wrote, zero.Add(time.Second)))
	assert.False(t, recovered(writer, "object", Bounds{}, 0, writes(event.Refused, 0, 0), zero))

	leader := Column{Leader, fresh}
	assert.True(t, recovered(leader, "object", Bounds{RenewalLate: 1}, 0, nil, zero), "its time is the play's")
	assert.False(t, recovered(leader, "object", Bounds{StopAfter: 1}, 0, nil, zero))
	assert.False(t, recovered(Column{Candidate, fresh}, "object", Bounds{}, 0, nil, zero))
}
