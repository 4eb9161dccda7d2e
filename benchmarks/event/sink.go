package event

import (
	"bytes"
	"encoding/json"
	"time"
)

// Sink is a writer for one process's output: it hands on each line as an event.
// It is for one goroutine at a time.
type Sink struct {
	who  string
	take func(Event)
	rest []byte
}

// NewSink returns a Sink that hands events to take. A line that is none becomes
// an Unreadable event of who, at the present time, so that nothing a contender
// says is dropped silently.
func NewSink(who string, take func(Event)) *Sink { return &Sink{who: who, take: take} }

// Write takes bytes of the stream; it never fails.
func (s *Sink) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		line, rest, whole := bytes.Cut(s.rest, []byte{'\n'})
		if !whole {
			return len(p), nil
		}
		s.line(line)
		s.rest = rest
	}
}

func (s *Sink) line(line []byte) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		const shown = 200
		e = Event{Time: time.Now(), Who: s.who, What: Unreadable, Reason: string(line[:min(len(line), shown)])}
	}
	s.take(e)
}
