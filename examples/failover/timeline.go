package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// quiet is how long the timeline may show nothing before it says what everyone
// waits for.
const quiet = 5 * time.Second

// timeline prints events as they come, one a line, and a line about what is
// waited for whenever nothing has come for a while.
type timeline struct {
	out     io.Writer
	paint   paint
	o       options
	journal *journal
	start   time.Time
}

// follow prints until ctx is done and every event so far has been shown.
func (t *timeline) follow(ctx context.Context) {
	shown := 0
	last := time.Now()
	for {
		events, reported, grown := t.journal.after(shown)
		shown = reported
		for _, e := range events {
			if text := t.describe(e); text != "" {
				t.line(e, text)
				last = time.Now()
			}
		}
		if len(events) > 0 {
			continue
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-grown:
		case <-ctx.Done():
		case <-time.After(time.Until(last.Add(quiet))):
			last = time.Now()
			fmt.Fprintln(t.out, t.paint.dim(fmt.Sprintf("%7.2fs  ... %s", last.Sub(t.start).Seconds(), t.waiting(last))))
		}
	}
}

// line prints one event in columns.
func (t *timeline) line(e event, text string) {
	fleet := t.paint.fleet(e.fleet, fmt.Sprintf("%-9s", cmp.Or(e.fleet, "both")))
	if e.kind == fault {
		text = t.paint.fault(text)
	}
	line := fmt.Sprintf("%7.2fs  %-8s  %s  %-5s  %s", e.at.Sub(t.start).Seconds(), e.scenario, fleet, e.contender, text)
	fmt.Fprintln(t.out, strings.TrimRight(line, " "))
}

// describe says in words what an event means to the reader, or nothing for the
// many that mean little.
func (t *timeline) describe(e event) string {
	switch e.kind {
	case fault, exited:
		return e.text
	case standing:
		if f := t.figures(e); f.fault.IsZero() {
			return "stands by"
		}
		return "" // after the fault: the standby sees its successor
	case leading:
		f := t.figures(e)
		if f.heir != e.contender || !f.takeover.Equal(e.at) {
			return "leads"
		}
		return "leads, " + takeoverText(f)
	case stopped:
		if f := t.figures(e); f.lost && e.contender == f.holder {
			return fmt.Sprintf("stops its work: lease lost %s after the fault", seconds(e.at.Sub(f.fault)))
		}
		return "stops its work"
	case released:
		return "the lease is released"
	case renewed:
		if f := t.figures(e); f.renewal.Equal(e.at) && !f.ended {
			return fmt.Sprintf("renews the lease all the same, %s after the renewal before", seconds(f.renewal.Sub(f.lastBefore)))
		}
	}
	return ""
}

// figures are those of an event's fleet.
func (t *timeline) figures(e event) figures {
	events, _ := t.journal.of(e.scenario, e.fleet)
	return evaluate(e.scenario, e.fleet, events, time.Now())
}

// waiting says who has no leader yet, and for how long.
func (t *timeline) waiting(now time.Time) string {
	var without []string
	electing := false
	for _, f := range results(t.o, t.journal, now) {
		events, _ := t.journal.of(f.scenario, f.fleet)
		over := len(events) == 0 || events[len(events)-1].kind == concluded
		switch {
		case over || f.settled(t.o.lease):
		case f.fault.IsZero():
			electing = true
		case f.leaderless > 0:
			lease := fmt.Sprintf("lease ended %s ago", seconds(now.Sub(f.leaseEnd)))
			if now.Before(f.leaseEnd) {
				lease = fmt.Sprintf("lease ends in %s", seconds(f.leaseEnd.Sub(now)))
			}
			without = append(without, fmt.Sprintf("%s/%s for %s (%s)", f.scenario, f.fleet, seconds(f.leaderless), lease))
		}
	}
	switch {
	case len(without) > 0:
		return "no leader yet: " + strings.Join(without, ", ")
	case electing:
		return "electing the first leaders"
	default:
		return "watching whether the leaders go on leading"
	}
}

// takeoverText says how long after what the heir took over. Client-go may take
// over before the lease has ended, since it compares records by their JSON, where
// times are whole seconds: a renewal within the same second is none to it.
func takeoverText(f figures) string {
	s, _ := scenarioNamed(f.scenario)
	if s.asked {
		return seconds(f.takeover.Sub(f.fault)) + " after SIGTERM"
	}
	if after := f.takeover.Sub(f.leaseEnd); after < 0 {
		return seconds(-after) + " before the lease ended"
	}
	return seconds(f.takeover.Sub(f.leaseEnd)) + " after the lease ended"
}

// seconds prints a duration as finely as these figures are good for.
func seconds(d time.Duration) string {
	switch abs := d.Abs(); {
	case abs < 100*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case abs < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
