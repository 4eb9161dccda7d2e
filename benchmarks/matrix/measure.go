package matrix

import (
	"fmt"
	"strconv"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// This file computes cells from the stream of events and from nothing else.

func count(events []event.Event, who string, what event.What) (n int) {
	for _, e := range events {
		if e.Who == who && e.What == what {
			n++
		}
	}
	return n
}

// ready reports whether a column does what it is to do.
func ready(c Column, object string, events []event.Event) bool {
	switch c.Role {
	case Leader, ClientGoLeader:
		return stage.Says(c.name(), event.Leading)(events) && renewals(events, object, time.Time{}) > 2
	case Candidate:
		for _, e := range events {
			if e.Who == c.name() && e.What == event.Requested {
				return renewals(events, object, e.Time) > 2
			}
		}
		return false
	case Writer:
		return count(events, c.name(), event.Answered) > 2
	}
	return count(events, c.name(), event.Seen) > 2
}

func renewals(events []event.Event, lease string, after time.Time) (n int) {
	for _, e := range events {
		if e.What == event.Committed && e.On == lease && e.Time.After(after) {
			n++
		}
	}
	return n
}

// recovered reports whether a column has shown all that its figures need: it
// does again what it is to do, not later than answers are, or has stopped for
// good where it must.
func recovered(c Column, object string, b Bounds, late time.Duration, events []event.Event, now time.Time) bool {
	recent := late + time.Second
	switch c.Role {
	case Leader, ClientGoLeader:
		return b.StopAfter == 0 && b.Told == 0 || stage.Says(c.name(), event.Stopping)(events)
	case Candidate:
		return stage.Says(c.name(), event.Leading)(events)
	case Writer:
		last := lastOf(events, func(e event.Event) bool {
			return e.Who == c.name() && e.What == event.Answered && e.Verb == verbUpdate
		})
		return now.Sub(last.Time) < recent
	}
	changed := lastOf(events, func(e event.Event) bool { return e.What == event.Changed && e.On == object })
	seen := lastOf(events, func(e event.Event) bool { return e.What == event.Seen && e.On == object })
	return time.Duration(number(changed)-number(seen))*changeEvery < recent
}

func lastOf(events []event.Event, match func(event.Event) bool) (last event.Event) {
	for _, e := range events {
		if match(e) {
			last = e
		}
	}
	return last
}

// number is the number of a change; what has none counts as the first.
func number(e event.Event) int {
	n, err := strconv.Atoi(e.Reason)
	if err != nil {
		return 0
	}
	return n
}

// story is the part of a stream that concerns one column: its own words, those
// about its object, the narrator's, and of faults its own, if it has one.
func story(c Column, object string, events []event.Event) []event.Event {
	own := false
	for _, e := range events {
		own = own || e.What == event.Fault && e.On == c.name()
	}
	var part []event.Event
	for _, e := range events {
		switch {
		case e.Who == c.name(), e.Who == c.doomedName() && c.Role == Candidate, e.Who == stage.Observer && e.On == object:
		case e.Who == stage.Narrator && e.What == event.Fault && (e.On == c.name()) == own && (own || e.On == "server"):
		case e.Who == stage.Narrator && (e.What == event.Began || e.What == event.Ended):
		default:
			continue
		}
		part = append(part, e)
		if e.What == event.Ended {
			break
		}
	}
	return part
}

// measure makes the cell of a column.
func measure(f Fault, c Column, object string, b Bounds, steered bool, events []event.Event, t scenario.Timing) Cell {
	cell := Cell{Fault: f.Name, Column: c, Steered: steered}
	part := story(c, object, events)
	struck := lastOf(part, func(e event.Event) bool { return e.What == event.Fault }).Time
	if struck.IsZero() { // its moment never came
		cell.Steered = false
		return cell
	}
	end := part[len(part)-1].Time
	for _, e := range part {
		if e.What == event.Unreadable {
			cell.Wrong = append(cell.Wrong, fmt.Sprintf("%s wrote what is no event: %q", e.Who, e.Reason))
		}
		if e.What == event.Exited && e.Who == c.name() && b.StopAfter == 0 && b.Told == 0 && e.Time.Before(end) {
			cell.Wrong = append(cell.Wrong, fmt.Sprintf("its process exited %v after the fault", short(e.Time.Sub(struck))))
		}
	}
	add := func(name string, bound time.Duration, measured scenario.Figure) {
		cell.Checks = append(cell.Checks, Check{Name: name, Bound: bound, Measured: measured})
	}
	switch c.Role {
	case Leader, ClientGoLeader:
		measureLeader(&cell, b, part, t, add)
	case Candidate:
		figures, err := scenario.Measure(part, t.RetryPeriod)
		if err != nil {
			cell.Wrong = append(cell.Wrong, err.Error())
			break
		}
		if figures.Overlap > 0 {
			cell.Wrong = append(cell.Wrong, fmt.Sprintf("two leaders for %v", figures.Overlap))
		}
		if figures.Takeover.Known && figures.Takeover.Value < 0 {
			cell.Wrong = append(cell.Wrong, "took a lease that had not ended")
		}
		add("takeover", b.Takeover, figures.Takeover)
	case Watch, Informer:
		add("unseen", b.Unseen, scenario.Figure{Known: true, Value: unseen(part, struck, end)})
	case Writer:
		write, again := writing(part, struck, end)
		add("update", b.Write, scenario.Figure{Known: true, Value: write})
		add("none succeeds", b.WriteAgain, scenario.Figure{Known: true, Value: again})
	}
	return cell
}

func measureLeader(cell *Cell, b Bounds, part []event.Event, t scenario.Timing, add func(string, time.Duration, scenario.Figure)) {
	if b.Told > 0 {
		measureDeposed(cell, b, part, add)
		return
	}
	if b.StopAfter > 0 {
		cell.Applies = "no server can be reached: its work ends"
		ending, err := scenario.MeasureEnding(part, cell.Column.name())
		if err != nil {
			cell.Wrong = append(cell.Wrong, err.Error())
			return
		}
		add("after the last renewal", b.StopAfter, ending.AfterRenewal)
		return
	}
	cell.Applies = "keeps the lease"
	figures, err := scenario.Measure(part, t.RetryPeriod)
	if err != nil {
		cell.Wrong = append(cell.Wrong, err.Error())
		return
	}
	if !figures.Kept {
		cell.Wrong = append(cell.Wrong, "LOST THE LEASE")
		if figures.LossAfter.Known {
			cell.Wrong = append(cell.Wrong, fmt.Sprintf("%v after the fault", short(figures.LossAfter.Value)))
		}
	}
	add("renewal late", b.RenewalLate, figures.RenewalLate)
}

// measureDeposed measures what the fence makes of the work after the takeover, which
// is the fault, and when the old leader's work is told.
func measureDeposed(cell *Cell, b Bounds, part []event.Event, add func(string, time.Duration, scenario.Figure)) {
	cell.Applies = "what it still writes is refused, and its successor writes"
	taken := lastOf(part, func(e event.Event) bool { return e.What == event.Fault }).Time
	var late, kept, told scenario.Figure
	before, refused := 0, 0
	first := map[string]time.Duration{} // of the new leader, by API server
	for _, e := range part {
		after := max(0, e.Time.Sub(taken))
		switch {
		case e.What == event.Stopping && !told.Known:
			told = scenario.Figure{Known: true, Value: after}
		case e.Verb != verbOld && e.Verb != verbNew:
		case e.What == event.Failed:
			cell.Wrong = append(cell.Wrong, fmt.Sprintf("a %s failed: %s", e.Verb, e.Reason))
		case e.Verb == verbOld && e.What == event.Refused:
			refused++
		case e.Verb == verbOld && e.Time.Before(taken):
			before++
		case e.Verb == verbOld:
			late.Value = max(late.Value, e.Time.Add(-e.Took).Sub(taken))
		case e.What == event.Answered:
			if _, known := first[e.On]; !known {
				first[e.On] = after
			}
		}
	}
	for _, after := range first {
		kept.Value = max(kept.Value, after)
	}
	kept.Known = len(first) == backends
	late.Known = before > 0 && refused > 0 // it did write, and then it did not
	add("old leader's last write", b.Late, late)
	add("new leader's first write", b.Kept, kept)
	add("told", b.Told, told)
}

// unseen returns the longest time for which a change made within a second of
// the fault, or later, went unseen. A later change that was seen shows the ones
// before it.
func unseen(part []event.Event, struck, end time.Time) (longest time.Duration) {
	for i, e := range part {
		if e.What != event.Changed || e.Time.Before(struck.Add(-time.Second)) {
			continue
		}
		at := end
		for _, later := range part[i:] {
			if later.What == event.Seen && number(later) >= number(e) {
				at = later.Time
				break
			}
		}
		longest = max(longest, at.Sub(e.Time))
	}
	return longest
}

// writing returns the longest time that an update took which ended after the
// fault, or has not ended, and the longest time after the fault in which no
// update succeeded.
func writing(part []event.Event, struck, end time.Time) (write, again time.Duration) {
	success := struck
	var asking event.Event
	for _, e := range part {
		if e.Verb != verbUpdate || e.Time.After(end) {
			continue
		}
		switch e.What {
		case event.Asking:
			asking = e
		case event.Answered, event.Refused:
			asking = event.Event{}
			if e.Time.Before(struck) {
				continue
			}
			write = max(write, e.Took)
			if e.What == event.Answered {
				again = max(again, e.Time.Sub(success))
				success = e.Time
			}
		}
	}
	if !asking.Time.IsZero() {
		write = max(write, end.Sub(asking.Time))
	}
	return write, max(again, end.Sub(success))
}
