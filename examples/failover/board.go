package main

import (
	"fmt"
	"slices"
	"time"
)

// board is everything the page shows, derived from events and from nothing else.
// It is a fold: apply takes one event after the other in the order in which they
// were reported, and view says what is to be seen at a moment. What ended more
// than a window ago is forgotten, so a board stays small however long it lives.
// It is not safe for concurrent use.
type board struct {
	timing    timing
	window    time.Duration
	first     time.Time // the event that came first
	latest    time.Time // the latest event
	endpoints []*endpointState
	slow      bool // the address is slow to notice a fault
	fleets    []*fleetState
	log       []note
}

// stretch is what was so from one moment to another; a zero to means that it
// still is.
type stretch struct {
	from, to time.Time
	what     string
}

// note is one line for the reader.
type note struct {
	at          time.Time
	fleet, text string
	grave       bool // a fault, or what nobody wants
}

// maxNotes bounds the log.
const maxNotes = 16

type endpointState struct {
	name   string
	faults []stretch // what is silent or frozen
	named  []stretch // when the address named it
}

type fleetState struct {
	name       string
	contenders []*contenderState
	holder     string // of the last record committed
	leaseEnd   time.Time
	// led is set when someone has led at all: before that, nobody is missing.
	led bool
	// gaps are when nobody led; leaderless is the sum of those that have ended.
	gaps       []stretch
	leaderless time.Duration
	// overlaps are when more than one led.
	overlaps []stretch
	lost     int // how many terms ended although nobody had asked for it
	// preferred is the slot that should lead; empty while none is.
	preferred string
	leader    string        // who led last
	asked     string        // who was told to stop last
	rollout   *rolloutState // the latest; nil: none
}

// rolloutState is what a rollout has cost so far.
type rolloutState struct {
	over    bool
	changes int // of leader
	// before and after are how long nobody had led until then.
	before, after time.Duration
}

// contenderState is a slot: a process, and those started in its place.
type contenderState struct {
	slot     string
	name     string    // of the process that runs now or ran last
	revision int       // of that process
	ready    bool      // that process has led, or seen another lead
	free     bool      // nobody is to run there
	runs     []stretch // the processes
	terms    []stretch // when its work ran
	cuts     []stretch // when its host was off the network
	links    []stretch // the endpoints it was connected to, as text
	counts   []string  // those of now, one for each connection
	renewals []time.Time
}

// newBoard returns a board on which nothing has happened yet. Of the slots of a fleet
// the first so many are to be taken; the rest are free.
func newBoard(t timing, window time.Duration, endpoints, fleetNames, slots []string, taken int) *board {
	b := &board{timing: t, window: window}
	for _, name := range endpoints {
		b.endpoints = append(b.endpoints, &endpointState{name: name})
	}
	for _, name := range fleetNames {
		f := &fleetState{name: name}
		for i, slot := range slots {
			f.contenders = append(f.contenders, &contenderState{slot: slot, name: slot, free: i >= taken})
		}
		b.fleets = append(b.fleets, f)
	}
	return b
}

// apply takes in one event. Events of what the board does not show are ignored.
func (b *board) apply(e event) {
	if b.first.IsZero() {
		b.first = e.at
	}
	if e.at.After(b.latest) {
		b.latest = e.at
	}
	switch {
	case e.endpoint != "":
		b.applyEndpoint(e)
	case e.kind == slowed || e.kind == prompted:
		b.slow = e.kind == slowed
		b.note(e, false, "%s", map[bool]string{
			true:  "the address is slow from now on: it names what breaks for " + seconds(addressLag) + " more",
			false: "the address notices at once again what breaks",
		}[b.slow])
	default:
		for _, f := range b.fleets {
			if f.name == e.fleet {
				b.applyFleet(f, e)
			}
		}
	}
	b.prune()
}

func (b *board) applyEndpoint(e event) {
	for _, endpoint := range b.endpoints {
		if endpoint.name != e.endpoint {
			continue
		}
		switch e.kind {
		case silenced:
			endpoint.faults = begin(endpoint.faults, e.at, faultSilent)
			b.note(e, true, "endpoint %s falls silent: connections stay open and hear nothing", e.endpoint)
		case frozen:
			endpoint.faults = begin(endpoint.faults, e.at, faultFrozen)
			b.note(e, true, "endpoint %s freezes: it accepts, and reads nothing", e.endpoint)
		case mended:
			finish(endpoint.faults, e.at)
			b.note(e, false, "endpoint %s is well again", e.endpoint)
		case named:
			endpoint.named = begin(endpoint.named, e.at, "")
		case unnamed:
			finish(endpoint.named, e.at)
			if lasts(endpoint.faults) && b.slow {
				b.note(e, false, "the address names endpoint %s no more", e.endpoint)
			}
		}
	}
}

func (b *board) applyFleet(f *fleetState, e event) {
	switch e.kind {
	case released:
		f.holder, f.leaseEnd = "", time.Time{}
	case rolling:
		f.rollout = &rolloutState{before: f.leaderlessAt(e.at)}
		b.note(e, false, "revision %d is rolled out", e.revision)
	case rolled:
		if r := f.rollout; r != nil {
			r.over, r.after = true, f.leaderlessAt(e.at)
			b.note(e, false, "revision %d has been rolled out: %s, %s without a leader", e.revision, changes(r.changes), seconds(r.after-r.before))
		}
	}
	c := f.slot(slotOf(e.contender))
	if c == nil {
		return
	}
	switch e.kind {
	case started:
		c.name = e.contender
		c.runs = begin(c.runs, e.at, e.contender)
		if c.free {
			b.note(e, false, "%s starts, of revision %d", e.contender, e.revision)
		} else if e.contender != c.slot {
			b.note(e, false, "%s starts in the place of its predecessor", e.contender)
		}
		c.revision, c.ready, c.free = e.revision, false, false
	case standing:
		c.ready = c.ready || e.contender == c.name
	case leading:
		// A callback may come late, when its process has died.
		if !c.running() || e.contender != c.name {
			return
		}
		c.ready = true
		c.terms = begin(c.terms, e.at, e.contender)
		b.note(e, false, "%s", f.begins(e))
	case stopped:
		// Where nobody has asked for it the lease was lost.
		if f.ends(c, e) && f.asked != e.contender {
			f.lost++
			b.note(e, true, "%s loses the lease and stops its work", e.contender)
		}
	case handed:
		if f.ends(c, e) {
			b.note(e, false, "%s stops its work and hands the lease over", e.contender)
		}
	case preferred:
		f.preferred = c.slot
		b.note(e, false, "%s is preferred from now on: it asks for the lease when a term has lasted %s", c.name, seconds(b.timing.lease))
	case stopping:
		f.asked = e.contender
		b.note(e, false, "%s%s is told to stop", e.contender, map[bool]string{true: ", who leads,"}[lasts(c.terms)])
	case left:
		c.end(e.at)
		c.free = true
	case exited:
		c.end(e.at)
		b.note(e, false, "%s %s", e.contender, e.text)
	case died:
		f.ends(c, e)
		c.end(e.at)
		b.note(e, true, "%s is killed", e.contender)
	case cut:
		c.cuts = begin(c.cuts, e.at, faultCut)
		b.note(e, true, "the host of %s is cut off the network", c.slot)
	case mended:
		finish(c.cuts, e.at)
		b.note(e, false, "the host of %s is back on the network", c.slot)
	case connected:
		// The last look at a process may be told after its end.
		if c.running() && e.contender == c.name {
			c.connect(e)
		}
	case renewed:
		f.holder, f.leaseEnd = e.contender, e.leaseEnd
		c.renewals = append(c.renewals, e.at)
	}
}

// begins counts one more leader, and says so.
func (f *fleetState) begins(e event) string {
	text := e.contender + " leads"
	if n := len(f.gaps); n > 0 && f.gaps[n-1].to.IsZero() {
		gap := e.at.Sub(f.gaps[n-1].from)
		f.leaderless += gap
		text += fmt.Sprintf(", after %s without a leader", seconds(gap))
		finish(f.gaps, e.at)
	}
	f.led = true
	if r := f.rollout; r != nil && !r.over && f.leader != e.contender {
		r.changes++
	}
	f.leader = e.contender
	if f.leaders() > 1 {
		f.overlaps = begin(f.overlaps, e.at, "")
	}
	return text
}

// leaderlessAt returns for how long nobody had led in all until now.
func (f *fleetState) leaderlessAt(now time.Time) time.Duration {
	if lasts(f.gaps) {
		return f.leaderless + now.Sub(f.gaps[len(f.gaps)-1].from)
	}
	return f.leaderless
}

// leaderlessIn returns for how long nobody has led during a rollout until now.
func (f *fleetState) leaderlessIn(r *rolloutState, now time.Time) time.Duration {
	if !r.over {
		return f.leaderlessAt(now) - r.before
	}
	return r.after - r.before
}

// changes counts changes of leader for a reader.
func changes(n int) string {
	if n == 1 {
		return "1 change of leader"
	}
	return fmt.Sprintf("%d changes of leader", n)
}

// ends ends the term of the process that e is about, and reports whether it had
// one.
func (f *fleetState) ends(c *contenderState, e event) bool {
	if !lasts(c.terms) || c.terms[len(c.terms)-1].what != e.contender {
		return false
	}
	finish(c.terms, e.at)
	switch f.leaders() {
	case 0:
		f.gaps = begin(f.gaps, e.at, "")
	case 1:
		finish(f.overlaps, e.at)
	}
	return true
}

func (f *fleetState) leaders() int {
	n := 0
	for _, c := range f.contenders {
		if lasts(c.terms) {
			n++
		}
	}
	return n
}

func (f *fleetState) slot(name string) *contenderState {
	for _, c := range f.contenders {
		if c.slot == name {
			return c
		}
	}
	return nil
}

func (c *contenderState) running() bool { return lasts(c.runs) }

// end ends the process, and with it its connections.
func (c *contenderState) end(at time.Time) {
	finish(c.runs, at)
	finish(c.links, at)
	c.counts = nil
}

func (c *contenderState) connect(e event) {
	c.counts = e.endpoints
	finish(c.links, e.at)
	if len(e.endpoints) > 0 {
		c.links = begin(c.links, e.at, list(slices.Compact(slices.Clone(e.endpoints))))
	}
}

func (b *board) note(e event, grave bool, format string, args ...any) {
	b.log = append(b.log, note{at: e.at, fleet: e.fleet, text: fmt.Sprintf(format, args...), grave: grave})
	b.log = b.log[max(0, len(b.log)-maxNotes):]
}

// prune forgets what ended before the window.
func (b *board) prune() {
	since := b.latest.Add(-b.window)
	for _, e := range b.endpoints {
		e.faults, e.named = prune(e.faults, since), prune(e.named, since)
	}
	for _, f := range b.fleets {
		f.gaps, f.overlaps = prune(f.gaps, since), prune(f.overlaps, since)
		for _, c := range f.contenders {
			c.runs, c.terms = prune(c.runs, since), prune(c.terms, since)
			c.cuts, c.links = prune(c.cuts, since), prune(c.links, since)
			c.renewals = slices.DeleteFunc(c.renewals, since.After)
		}
	}
}
