package event

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Timeline writes the events for a reader: one line an event with its time
// relative to zero, who, what and details. Requests that went well and
// connections are left out, and renewals that follow each other without anything else in between
// are one line.
func Timeline(out io.Writer, events []Event, zero time.Time) error {
	var shown []Event
	for _, e := range events {
		if e.What != Requested && e.What != Connected {
			shown = append(shown, e)
		}
	}
	for i := 0; i < len(shown); {
		last := i
		for last+1 < len(shown) && renews(shown[last], shown[last+1]) {
			last++
		}
		if err := line(out, shown[i], zero, ""); err != nil {
			return err
		}
		if between := last - i - 1; last > i {
			more := ""
			if between > 0 {
				more = fmt.Sprintf(" (%d more before it)", between)
			}
			if err := line(out, shown[last], zero, more); err != nil {
				return err
			}
		}
		i = last + 1
	}
	return nil
}

// FaultTime returns when the first fault came, or else when the events begin: the
// zero of a timeline. Without events it is the zero time.
func FaultTime(events []Event) time.Time {
	for _, e := range events {
		if e.What == Fault {
			return e.Time
		}
	}
	if len(events) == 0 {
		return time.Time{}
	}
	return events[0].Time
}

// renews reports whether b is the renewal that follows a.
func renews(a, b Event) bool {
	return a.What == Committed && b.What == Committed && a.Holder == b.Holder
}

func line(out io.Writer, e Event, zero time.Time, more string) error {
	_, err := fmt.Fprintf(out, "%+10.3fs  %-12s %-10s %s\n", e.Time.Sub(zero).Seconds(), e.Who, e.What, details(e, zero)+more)
	if err != nil {
		return fmt.Errorf("write timeline: %w", err)
	}
	return nil
}

func details(e Event, zero time.Time) string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if e.On != "" {
		add("%s", e.On)
	}
	if e.Holder != "" {
		add("holder %s, lease ends at %+.3fs", e.Holder, e.RenewTime.Add(e.Lease).Sub(zero).Seconds())
	}
	if e.Verb != "" {
		add("%s", e.Verb)
	}
	if e.Took != 0 {
		add("after %v", e.Took.Round(time.Millisecond))
	}
	if e.Reason != "" {
		add("%s", e.Reason)
	}
	if e.Code != nil {
		add("code %d", *e.Code)
	}
	return strings.Join(words, " ")
}
