package event

import (
	"bytes"
	"context"
	"encoding/json"
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

// Lines returns a writer for one process's output: each line written to it is
// an event and goes into the log. A line that is none becomes an Unreadable
// event of who, so that nothing a contender says is dropped silently. The
// writer is for one goroutine at a time.
func (l *Log) Lines(who string) *LineWriter { return &LineWriter{log: l, who: who} }

// LineWriter is what Log.Lines returns.
type LineWriter struct {
	log  *Log
	who  string
	rest []byte
}

// Write takes bytes of the stream; it never fails.
func (w *LineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, whole := bytes.Cut(w.rest, []byte{'\n'})
		if !whole {
			return len(p), nil
		}
		w.take(line)
		w.rest = rest
	}
}

func (w *LineWriter) take(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		const shown = 200
		e = Event{Who: w.who, What: Unreadable, Reason: string(line[:min(len(line), shown)])}
	}
	w.log.Append(e)
}
