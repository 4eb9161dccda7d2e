package event

import (
	"encoding/json"
	"fmt"
	"time"
)

// What names the kind of an event. The constants of this package are the whole
// vocabulary.
type What string

// What a contender says about itself.
const (
	// Started: the contender's elector runs and contends for the lease.
	Started What = "started"
	// Leading: the guarded work begins.
	Leading What = "leading"
	// Stopping: the context of the guarded work has been cancelled.
	Stopping What = "stopping"
	// Stopped: the guarded work has returned. Reason is set when it was not the
	// work that ended but its process.
	Stopped What = "stopped"
	// Lost: the elector gave up the lease though nobody had asked it to.
	// Reason says what the elector reported, if it reports anything.
	Lost What = "lost"
	// Requested: a request has left for the API; every attempt counts, hedges
	// included. Verb is its method. Of a program that says nothing itself it is one
	// that an API server has got: Verb is Kubernetes' verb, and On what it was about.
	Requested What = "requested"
	// Connected: a connection has been opened, whether or not a request came to
	// use it; On is its address.
	Connected What = "connected"
	// Failed: a request ended without an answer. Verb is its method, Took how
	// long it lasted, Reason its error.
	Failed What = "failed"
	// Abandoned: the contender cancelled a request of its own, such as the loser
	// of a hedge or one that was past its bound. Fields as with Failed.
	Abandoned What = "abandoned"
)

// What the observer of the Lease says, which watches it on a server that no
// fault touches. Time is when the observer learned of the write.
const (
	// Committed: the API holds a record with a holder. Holder, RenewTime and
	// Lease are the record's.
	Committed What = "committed"
	// Released: the API holds a record without a holder.
	Released What = "released"
)

// What the scenario says.
const (
	// Began: a run begins; Reason says which. A stream of several runs is divided
	// here.
	Began What = "began"
	// Exited: the process of a contender is gone; Who is that contender, Code
	// its exit code, -1 if a signal ended it.
	Exited What = "exited"
	// Backends: what the virtual IP names from now on for new connections, in
	// Reason.
	Backends What = "backends"
	// Settled: one leads and the other stands by; from here to the fault nothing is
	// wrong.
	Settled What = "settled"
	// Fault: On is what was harmed, Reason how. Several faults of one scenario
	// that belong together carry one Time.
	Fault What = "fault"
	// Mended: On works again; Took is how long that took.
	Mended What = "mended"
	// Ended: the run is over. What comes later is clearing up, and no figure
	// counts it.
	Ended What = "ended"
	// Unreadable: a line that is no event; Reason holds its beginning.
	Unreadable What = "unreadable"
)

// Event is one thing that happened. Time, Who and What are always set; which
// of the other fields are is said at the What.
type Event struct {
	// Time is when it happened, to the nanosecond, by the machine's wall clock.
	Time time.Time
	// Who it happened to: a contender's identity, "observer" or "scenario".
	Who string
	// What happened.
	What What

	// On is what a fault was done to, what works again, or what a request was about.
	On string
	// Reason is why or how, in words.
	Reason string
	// Verb is the method of a request.
	Verb string
	// Holder, RenewTime and Lease are a record's: who holds the lease, when it was
	// last renewed by the holder's clock, and for how long it is held from then.
	Holder    string
	RenewTime time.Time
	Lease     time.Duration
	// Took is how long something lasted.
	Took time.Duration
	// Code is an exit code.
	Code *int
}

// wire is an Event as it stands on a line: durations as text with their unit.
type wire struct {
	Time      time.Time `json:"time"`
	Who       string    `json:"who"`
	What      What      `json:"what"`
	On        string    `json:"on,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Verb      string    `json:"verb,omitempty"`
	Holder    string    `json:"holder,omitempty"`
	RenewTime time.Time `json:"renewTime,omitzero"`
	Lease     string    `json:"lease,omitempty"`
	Took      string    `json:"took,omitempty"`
	Code      *int      `json:"code,omitempty"`
}

// MarshalJSON writes the event with durations as text ("15s") and without the
// fields that are not set.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{
		Time: e.Time.UTC(), Who: e.Who, What: e.What, On: e.On, Reason: e.Reason, Verb: e.Verb,
		Holder: e.Holder, RenewTime: e.RenewTime.UTC(), Lease: text(e.Lease), Took: text(e.Took), Code: e.Code,
	})
}

// UnmarshalJSON reads what MarshalJSON writes. An event without a time, a who
// or a what is an error.
func (e *Event) UnmarshalJSON(line []byte) error {
	var w wire
	if err := json.Unmarshal(line, &w); err != nil {
		return err
	}
	lease, err := duration(w.Lease)
	if err != nil {
		return fmt.Errorf("field lease: %w", err)
	}
	took, err := duration(w.Took)
	if err != nil {
		return fmt.Errorf("field took: %w", err)
	}
	if w.Time.IsZero() || w.Who == "" || w.What == "" {
		return fmt.Errorf("time, who and what must be set, got %q, %q and %q", w.Time.Format(time.RFC3339Nano), w.Who, w.What)
	}
	*e = Event{
		Time: w.Time, Who: w.Who, What: w.What, On: w.On, Reason: w.Reason, Verb: w.Verb,
		Holder: w.Holder, RenewTime: w.RenewTime, Lease: lease, Took: took, Code: w.Code,
	}
	return nil
}

func text(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func duration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	return time.ParseDuration(s)
}
