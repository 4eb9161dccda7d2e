package report

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// Timeline is who led when in one sample. All times are seconds since the
// first fault.
type Timeline struct {
	Peer  string
	Lanes []Lane
	// Faults are what was done, one line each.
	Faults []string
	// LeaseEnd is when the lease of the leader at the fault ran out by the API's
	// record; nil where it was renewed, was released, or ran out after End.
	LeaseEnd *float64
	// Next is when the work of the next leader began, and Takeover how long that
	// was after the lease had ended; nil where nobody took the lease over.
	Next, Takeover *float64
	// Kept says that the leader at the fault kept the lease, Lost that it gave the
	// lease up though nobody had asked.
	Kept, Lost bool
	// Gaps are when nobody's work ran after the first work had begun, Overlaps
	// when that of several contenders did.
	Gaps, Overlaps []Span
	// Begin and End are those of the record.
	Begin, End float64
}

// Lane is what one contender did.
type Lane struct {
	Who   string
	Terms []Term
	// Lost are when it reported the loss of its lease, Exits when its process
	// was gone.
	Lost, Exits []float64
}

// Span is a stretch of time. Open says that it lasted to the end of the
// record.
type Span struct {
	From, To float64
	Open     bool
}

// Term is a stretch of guarded work. From Stopping on it had been told to
// stop; Stopping is To where it was not.
type Term struct {
	Span
	Stopping float64
}

// NewTimeline reads the events of a sample of result.Failover. A sample
// without events, and one whose events [scenario.Measure] refuses, is an error.
func NewTimeline(s result.Sample) (Timeline, error) {
	if len(s.Events) == 0 {
		return Timeline{}, errors.New("the sample holds no events")
	}
	events := event.Merge(s.Events)
	figures, err := scenario.Measure(events, retryPeriod(s.Timing))
	if err != nil {
		return Timeline{}, err
	}
	if at := slices.IndexFunc(events, func(e event.Event) bool { return e.What == event.Ended }); at >= 0 {
		events = events[:at+1]
	}
	since := func(t time.Time) float64 { return t.Sub(figures.Fault).Seconds() }
	t := Timeline{
		Peer:  s.Peer,
		Begin: since(events[0].Time), End: since(events[len(events)-1].Time),
		Faults: faults(events),
	}
	t.Kept, t.Lost = figures.Kept, figures.Lost > 0
	if figures.Takeover.Known {
		next, takeover := figures.Outage.Value.Seconds(), figures.Takeover.Value.Seconds()
		t.Next, t.Takeover = &next, &takeover
	}
	t.Lanes = lanes(events, since, t.End)
	t.Gaps, t.Overlaps = t.running(0), t.running(2)
	if end := since(figures.LeaseEnd); !figures.Kept && !figures.AfterRelease.Known && !figures.LeaseEnd.IsZero() && end <= t.End {
		t.LeaseEnd = &end
	}
	return t, nil
}

// faults returns what the first faults were, which belong together.
func faults(events []event.Event) []string {
	var words []string
	var at time.Time
	for _, e := range events {
		if e.What == event.Fault && (at.IsZero() || e.Time.Equal(at)) {
			at = e.Time
			words = append(words, strings.TrimSpace(fmt.Sprintf("%s: %s", e.On, e.Reason)))
		}
	}
	return words
}

// lanes returns what each contender did that ever started or worked, in the
// order of their names.
func lanes(events []event.Event, since func(time.Time) float64, end float64) []Lane {
	byName := map[string]*Lane{}
	open := map[string]bool{}
	for _, e := range events {
		switch e.What {
		case event.Started, event.Leading, event.Stopping, event.Stopped, event.Lost, event.Exited:
		default:
			continue
		}
		lane := byName[e.Who]
		if lane == nil {
			lane = &Lane{Who: e.Who}
			byName[e.Who] = lane
		}
		at := since(e.Time)
		if e.What == event.Leading && !open[e.Who] {
			lane.Terms = append(lane.Terms, Term{Span: Span{From: at, To: end, Open: true}, Stopping: end})
			open[e.Who] = true
			continue
		}
		if e.What == event.Lost {
			lane.Lost = append(lane.Lost, at)
		}
		if e.What == event.Exited {
			lane.Exits = append(lane.Exits, at)
		}
		if !open[e.Who] {
			continue
		}
		term := &lane.Terms[len(lane.Terms)-1]
		switch e.What {
		case event.Stopping:
			term.Stopping = min(term.Stopping, at)
		case event.Stopped, event.Exited:
			term.To, term.Open, term.Stopping = at, false, min(term.Stopping, at)
			open[e.Who] = false
		}
	}
	var all []Lane
	for _, lane := range byName {
		all = append(all, *lane)
	}
	slices.SortFunc(all, func(a, b Lane) int { return strings.Compare(a.Who, b.Who) })
	return all
}

// running returns when the work of no contender ran, for 0, or of at least n,
// from the beginning of the first work to the end of the record.
func (t Timeline) running(n int) []Span {
	var bounds []float64
	for _, lane := range t.Lanes {
		for _, term := range lane.Terms {
			bounds = append(bounds, term.From, term.To)
		}
	}
	if len(bounds) == 0 {
		return nil
	}
	slices.Sort(bounds)
	bounds = slices.Compact(append(bounds, t.End))
	var spans []Span
	for i := 0; i+1 < len(bounds); i++ {
		from, to := bounds[i], bounds[i+1]
		if works := t.at((from + to) / 2); works != n && (n == 0 || works < n) {
			continue
		}
		if last := len(spans) - 1; last >= 0 && spans[last].To == from {
			spans[last].To = to
		} else {
			spans = append(spans, Span{From: from, To: to})
		}
	}
	if last := len(spans) - 1; last >= 0 {
		spans[last].Open = spans[last].To == t.End
	}
	return spans
}

// at counts the contenders whose work ran at a time.
func (t Timeline) at(time float64) int {
	n := 0
	for _, lane := range t.Lanes {
		if slices.ContainsFunc(lane.Terms, func(s Term) bool { return s.From <= time && time < s.To }) {
			n++
		}
	}
	return n
}
