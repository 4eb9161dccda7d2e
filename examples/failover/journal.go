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

	// What only the page needs.
	connected kind = "connected" // a process is connected to other endpoints than before
	silenced  kind = "silenced"  // an endpoint answers nothing any more
	frozen    kind = "frozen"    // an endpoint reads nothing any more
	cut       kind = "cut"       // a process's host is off the network
	mended    kind = "mended"    // the endpoint, or the host, is well again
	named     kind = "named"     // the address names the endpoint from now on
	unnamed   kind = "unnamed"   // and no more
	slowed    kind = "slowed"    // the address is slow to notice a fault from now on
	prompted  kind = "prompted"  // and notices at once
	preferred kind = "preferred" // who leads should be this contender from now on
	handed    kind = "handed"    // work was told to stop since another is preferred, and did
	left      kind = "left"      // a process has ended, and nobody is started in its place
	rolling   kind = "rolling"   // the processes of the fleet are replaced from now on
	rolled    kind = "rolled"    // and all have been
)

// event is one thing that happened. Every figure is computed from events.
type event struct {
	at        time.Time
	scenario  string
	fleet     string // empty: concerns all of the scenario
	contender string
	revision  int // of the contender, or of what is rolled out
	kind      kind
	// leaseEnd is set on renewed: the record's renewTime plus its duration.
	leaseEnd time.Time
	text     string // for the reader only
	// endpoint is what silenced, frozen, mended, named and unnamed are about, unless
	// it is a contender.
	endpoint string
	// endpoints is set on connected: one name for each open connection, sorted.
	endpoints []string
}

// journal is the list of all events, in the order in which they were reported.
// It is safe for concurrent use and never waits for its readers.
type journal struct {
	// keep bounds how many events are remembered: at least so many, and at most
	// twice as many. Zero means all. It must not change once the journal is used.
	keep int

	mu        sync.Mutex
	events    []event
	forgotten int // how many were reported before events[0]
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
	if j.keep > 0 && len(j.events) >= 2*j.keep {
		j.forgotten += len(j.events) - j.keep
		j.events = slices.Clone(j.events[len(j.events)-j.keep:])
	}
	j.events = append(j.events, e)
	close(j.grown)
	j.grown = make(chan struct{})
}

// after returns the events that were reported after the first n, as far as they
// are remembered, how many have been reported in all, and a channel that is
// closed at the next.
func (j *journal) after(n int) (events []event, reported int, grown <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events[max(0, n-j.forgotten):]), j.forgotten + len(j.events), j.grown
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
