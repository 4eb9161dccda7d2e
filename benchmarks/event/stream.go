package event

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Writer writes events, one JSON object a line. Each event is one call of the
// underlying Write, so a process that is killed leaves no half line in a pipe.
// It is safe for concurrent use.
type Writer struct {
	mu  sync.Mutex
	out io.Writer
}

// NewWriter returns a Writer to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write appends e. An event without a Time gets the present one.
func (w *Writer) Write(e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event %q of %q: %w", e.What, e.Who, err)
	}
	if _, err := w.out.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write event %q of %q: %w", e.What, e.Who, err)
	}
	return nil
}

// Read returns the events of in, in the order in which they stand there.
// Empty lines are skipped. A line that is no event is an error that names the
// line's number; the events before it are returned with it.
func Read(in io.Reader) ([]Event, error) {
	var events []Event
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return events, fmt.Errorf("read event stream: line %d: %w", number, err)
		}
		events = append(events, e)
	}
	if err := lines.Err(); err != nil {
		return events, fmt.Errorf("read event stream: line %d: %w", number+1, err)
	}
	return events, nil
}

// Merge returns the events of all streams as one, sorted by time. Events of
// the same time keep the order in which they were given.
func Merge(streams ...[]Event) []Event {
	merged := slices.Concat(streams...)
	slices.SortStableFunc(merged, func(a, b Event) int { return a.Time.Compare(b.Time) })
	return merged
}

// Runs divides a stream into its runs, each of which begins with Began. What
// comes before the first is a run of its own.
func Runs(events []Event) [][]Event {
	var runs [][]Event
	for i, e := range events {
		if i == 0 || e.What == Began {
			runs = append(runs, nil)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], e)
	}
	return runs
}
