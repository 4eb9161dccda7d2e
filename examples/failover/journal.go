package main

import (
	"slices"
	"sync"
	"time"
)

// kind says what happened.
type kind string

const (
	started   kind = "started"   // a process began to contend
	standing  kind = "standing"  // a process saw another lead for the first time
	leading   kind = "leading"   // the work guarded by the lease began
	stopped   kind = "stopped"   // that work was told to stop, and did
	exited    kind = "exited"    // a process ended by itself, as "leader election lost" makes it
	stopping  kind = "stopping"  // a process got SIGTERM
	died      kind = "died"      // a process or its host died
	renewed   kind = "renewed"   // the API committed a record that names a holder
	released  kind = "released"  // the API committed a record that names none
	fault     kind = "fault"     // what a scenario is about
	concluded kind = "concluded" // a scenario has seen enough
)

// event is one thing that happened. Every figure is computed from events.
type event struct {
	at        time.Time
	scenario  string
	fleet     string // empty: concerns all of the scenario
	contender string
	kind      kind
	// leaseEnd is set on renewed: the record's renewTime plus its duration.
	leaseEnd time.Time
	text     string // for the reader only
}

// journal is the list of all events, in the order in which they were reported.
// It is safe for concurrent use and never waits for its readers.
type journal struct {
	mu     sync.Mutex
	events []event
	// grown is closed and replaced at every event.
	grown chan struct{}
}

func newJournal() *journal { return &journal{grown: make(chan struct{})} }

// add records the event; its time is now unless it has one.
func (j *journal) add(e event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.at.IsZero() {
		e.at = time.Now()
	}
	j.events = append(j.events, e)
	close(j.grown)
	j.grown = make(chan struct{})
}

// after returns the events that were reported after the first n, and a channel
// that is closed at the next.
func (j *journal) after(n int) ([]event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events[n:]), j.grown
}

// of returns the events of one scenario and fleet so far in the order of their
// times, those that concern all fleets included, and a channel that is closed at
// the next event.
func (j *journal) of(scenario, fleet string) ([]event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var events []event
	for _, e := range j.events {
		if e.scenario == scenario && (e.fleet == fleet || e.fleet == "") {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	return events, j.grown
}
