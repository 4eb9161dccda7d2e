package event

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Log collects the events of a run as they happen and lets others wait for
// them. The zero Log is empty and ready for use. It is safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	events  []Event
	changed chan struct{}
}

// Append adds e. An event without a Time gets the present one.
func (l *Log) Append(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	l.events = append(l.events, e)
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Events returns what has happened so far, sorted by time.
func (l *Log) Events() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Merge(slices.Clone(l.events))
}

// Await returns once cond holds for the events so far, which it is given
// sorted by time; it asks again after every new event. The error of a ctx that
// is done first names what was awaited and the last events.
func (l *Log) Await(ctx context.Context, what string, cond func([]Event) bool) error {
	begun := time.Now()
	for {
		events, changed := l.next()
		if cond(events) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("await %s: not seen within %v; last events: %s: %w",
				what, time.Since(begun).Round(time.Millisecond), tail(events), ctx.Err())
		}
	}
}

// next returns the events so far and a channel that is closed by the next one.
func (l *Log) next() ([]Event, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return Merge(slices.Clone(l.events)), l.changed
}

func tail(events []Event) string {
	const shown = 8
	var words []string
	for _, e := range events[max(0, len(events)-shown):] {
		words = append(words, e.Time.Format("15:04:05.000")+" "+e.Who+" "+string(e.What))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// Lines returns a Sink whose events go into the log.
func (l *Log) Lines(who string) *Sink { return NewSink(who, l.Append) }
