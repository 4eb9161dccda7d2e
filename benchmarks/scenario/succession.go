package scenario

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// Rounds divides the stream of a fleet into one for each fault: all that
// happened up to the next fault, with that fault alone. [Measure] computes the
// figures of each. It fits fleets in which one leader after the other comes to
// its end, under identities that do not return.
func Rounds(events []event.Event) [][]event.Event {
	var rounds [][]event.Event
	var before []event.Event // without faults
	for i := 0; i < len(events); i++ {
		if events[i].What != event.Fault {
			before = append(before, events[i])
			continue
		}
		round := append(append([]event.Event(nil), before...), events[i])
		for _, e := range events[i+1:] {
			if e.What == event.Fault {
				break
			}
			round = append(round, e)
		}
		rounds = append(rounds, round)
	}
	return rounds
}

// LeaderAt returns whose guarded work ran at the time at, the one that began
// last if there were several; empty if nobody's did.
func LeaderAt(events []event.Event, at time.Time) string {
	return leading(terms(events, at.Add(1)), at)
}

// Ending is how the guarded work of one contender was told to stop. Its
// figures are not known where it was not.
type Ending struct {
	// AfterRenewal is from renewTime of the contender's last committed renewal to
	// the end of the context of its work.
	AfterRenewal Figure
	// AfterFault is from the last fault before that to the same end.
	AfterFault Figure
}

// MeasureEnding returns how the first work of who was told to stop. A stream
// that cannot be measured is an error, as with Measure.
func MeasureEnding(events []event.Event, who string) (Ending, error) {
	events, err := whole(events)
	if err != nil {
		return Ending{}, fmt.Errorf("measure the ending of %s: %w", who, err)
	}
	stopping, _ := first(events, func(e event.Event) bool { return e.Who == who && e.What == event.Stopping })
	var fault time.Time
	for _, e := range events {
		if e.What == event.Fault && e.Time.Before(stopping.Time) {
			fault = e.Time
		}
	}
	return Ending{
		AfterRenewal: between(lastRenewal(events, who).RenewTime, stopping.Time),
		AfterFault:   between(fault, stopping.Time),
	}, nil
}

// FleetFigures are what the whole stream of a fleet shows.
type FleetFigures struct {
	// Terms counts the stretches of guarded work.
	Terms int
	// Leaderless is how long nobody's work ran, each time that this was so after
	// the first work had begun, in order. The last may go on to the end.
	Leaderless []time.Duration
	// Overlap is that of Figures.
	Overlap time.Duration
	// Lost counts the leases given up though nobody had asked.
	Lost int
}

// MeasureFleet computes the figures of a fleet from its stream. One in which
// nobody ever led, or that Measure would refuse, is an error.
func MeasureFleet(events []event.Event) (FleetFigures, error) {
	events, err := whole(events)
	if err != nil {
		return FleetFigures{}, fmt.Errorf("measure a fleet: %w", err)
	}
	end := events[len(events)-1].Time
	terms := terms(events, end)
	if len(terms) == 0 {
		return FleetFigures{}, errors.New("measure a fleet: nobody ever led")
	}
	f := FleetFigures{Terms: len(terms), Leaderless: leaderless(terms, end), Overlap: overlap(terms)}
	for _, e := range events {
		if e.What == event.Lost {
			f.Lost++
		}
	}
	return f, nil
}

// leaderless returns how long no work ran, each time, from the first work to
// end. The terms are in the order in which they began.
func leaderless(terms []term, end time.Time) []time.Duration {
	var gaps []time.Duration
	until := terms[0].to
	for _, t := range append(terms[1:len(terms):len(terms)], term{from: end, to: end}) {
		if gap := t.from.Sub(until); gap > 0 {
			gaps = append(gaps, gap)
		}
		if t.to.After(until) {
			until = t.to
		}
	}
	return gaps
}
