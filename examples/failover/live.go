package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection"
)

// live is a stage on which whoever watches causes the faults, for as long as
// they like. It is safe for concurrent use.
//
// The address names the endpoints that are well, as in the scenarios, or, while it
// is slow, what has become faulty for addressLag more. While none is well, it
// names all: it knows nothing better. Its relay then keeps every connection
// tried until something is mended, about a dozen file descriptors a second, so
// leave all three silent for minutes, not for hours.
type live struct {
	stage   *stage
	journal *journal
	board   *sharedBoard

	mu     sync.Mutex
	faulty map[string]bool     // by the name of the endpoint
	cut    map[string]bool     // hosts, by fleet/slot: a restart does not mend them
	latest map[string]*process // the process of each host, by fleet/slot
	// pinned: the address names endpoint a only, until everyone is connected.
	pinned bool
	slow   bool
	// lagging is until when the address names a faulty endpoint, by its name.
	lagging map[string]time.Time
	// preferred is the slot of our fleet that should lead; empty while none is.
	preferred string
	// revision is that of the latest rollout, or 1; rolling is set while one is under way.
	revision int
	rolling  bool
	rollouts chan int // the revision that is to be rolled out
	// told are the endpoints that the journal knows to be named.
	told map[string]bool
}

// addressLag is for how long an address that is slow names what is faulty: as
// long as the nodes of a cluster are given to say that they live.
const addressLag = 40 * time.Second

// What a live stage has, what it remembers, and how often it looks at the
// connections.
const (
	liveName    = "live"
	liveWindow  = time.Minute
	liveEvents  = 4096
	liveLooksAt = 50 * time.Millisecond
)

// A fleet has two contenders, and one more while it is rolled out.
var (
	liveSlots    = []string{"one", "two", "three"}
	liveReplicas = liveSlots[:2]
)

// Errors of a fault that cannot be caused. Those returned say what was asked.
var (
	errUnknown  = errors.New("there is no such thing")
	errNotAgain = errors.New("its state does not allow that")
)

// openLive starts the endpoints, and no contender yet. Close ends the stage.
func openLive(t timing) (*live, error) {
	j := newJournal()
	j.keep = liveEvents
	l := &live{
		journal: j, faulty: map[string]bool{}, cut: map[string]bool{}, latest: map[string]*process{}, pinned: true,
		lagging: map[string]time.Time{}, told: map[string]bool{}, revision: 1, rollouts: make(chan int, 1),
	}
	st, err := openStage(options{timing: t, restart: restartAfter}, scenario{name: liveName, pinned: true, asked: true}, j)
	if err != nil {
		return nil, err
	}
	st.spawned = func(p *process) {
		l.mu.Lock()
		defer l.mu.Unlock()
		host := p.fleet.name + "/" + p.slot()
		l.latest[host] = p
		if l.cut[host] {
			p.host.Silence()
		}
	}
	st.priority, st.successor = l.priority, l.heir
	l.stage = st
	var endpoints, names []string
	for _, e := range st.endpoints {
		endpoints = append(endpoints, e.Name())
	}
	for _, f := range fleets {
		names = append(names, f.name)
	}
	l.board = &sharedBoard{board: newBoard(t, liveWindow, endpoints, names, liveSlots, len(liveReplicas)), changed: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name(time.Now())
	return l, nil
}

func (l *live) close() error { return l.stage.close() }

// run lets everyone contend until ctx is done, or returns what went wrong with a
// process. The journal's events reach the board while it runs.
func (l *live) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { l.board.follow(ctx, l.journal) })
	running.Go(func() { l.start(ctx) })
	running.Go(func() { l.rollOuts(ctx) })
	defer cancel() // before it waits

	seen := map[*process][]string{}
	looks := time.NewTicker(liveLooksAt)
	defer looks.Stop()
	for {
		select {
		case <-looks.C:
			if err := l.stage.failure(); err != nil {
				return err
			}
			seen = l.look(seen)
			l.notice(time.Now())
		case <-ctx.Done():
			return nil
		}
	}
}

// start lets the first contender of each fleet win before the second comes, all
// on endpoint a, which is how the incident began. It does not insist: whoever
// watches may break things meanwhile.
func (l *live) start(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, l.stage.timing.lease+electWithin)
	defer cancel()
	var starting sync.WaitGroup
	for _, f := range fleets {
		starting.Go(func() {
			for i, slot := range liveReplicas {
				if _, err := l.stage.spawn(f, slot, 1); err != nil {
					l.stage.fail(err)
					return
				}
				until := []kind{leading, standing}[i]
				_ = l.stage.await(bounded, f, func(events []event) bool {
					return slices.ContainsFunc(events, func(e event) bool { return e.kind == until && e.contender == slot })
				})
			}
		})
	}
	starting.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pinned = false
	l.name(time.Now())
}

// look reports the connections that are not as they were seen last.
func (l *live) look(seen map[*process][]string) map[*process][]string {
	next := map[*process][]string{}
	for _, p := range l.stage.alive() {
		names := []string{}
		for _, endpoint := range p.host.Endpoints() {
			names = append(names, endpoint.Name())
		}
		if before, ok := seen[p]; (!ok || !slices.Equal(before, names)) && !p.dead.Load() {
			l.journal.add(event{
				scenario: liveName, fleet: p.fleet.name, contender: p.name, kind: connected, endpoints: names,
			})
		}
		next[p] = names
	}
	return next
}

// name makes the address name what it takes to be well at a moment. It must be
// called with mu held.
func (l *live) name(now time.Time) {
	names := l.stage.endpoints[:1]
	if !l.pinned {
		names = slices.DeleteFunc(slices.Clone(l.stage.endpoints), func(e *leaseapi.Endpoint) bool {
			return l.faulty[e.Name()] && !now.Before(l.lagging[e.Name()])
		})
	}
	if len(names) == 0 {
		names = l.stage.endpoints
	}
	l.stage.relay.Name(names...)
	for _, e := range l.stage.endpoints {
		is, what := slices.Contains(names, e), unnamed
		if is {
			what = named
		}
		if l.told[e.Name()] != is {
			l.told[e.Name()] = is
			l.journal.add(event{scenario: liveName, kind: what, endpoint: e.Name()})
		}
	}
}

// notice lets the address notice what it should have by now.
func (l *live) notice(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	overdue := false
	for name, until := range l.lagging {
		if !now.Before(until) {
			delete(l.lagging, name)
			overdue = true
		}
	}
	if overdue {
		l.name(now)
	}
}

// setAddress makes the address slow to notice what breaks from now on, or prompt
// for what is broken too. The error wraps errUnknown where there is no such
// manner, errNotAgain where it is so already.
func (l *live) setAddress(manner string) error {
	if manner != "slow" && manner != "prompt" {
		return fmt.Errorf("address %q: %w, must be slow or prompt", manner, errUnknown)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.slow == (manner == "slow") {
		return fmt.Errorf("make the address %s: %w", manner, errNotAgain)
	}
	l.slow = !l.slow
	what := prompted
	if l.slow {
		what = slowed
	}
	l.journal.add(event{scenario: liveName, kind: what})
	if !l.slow {
		clear(l.lagging)
		l.name(time.Now())
	}
	return nil
}

// strikeEndpoint silences, freezes or mends an endpoint. What is silent or
// frozen has to be mended first: errNotAgain. The error wraps errUnknown where
// there is no such endpoint or fault.
func (l *live) strikeEndpoint(name, fault string) error {
	i := slices.IndexFunc(l.stage.endpoints, func(e *leaseapi.Endpoint) bool { return e.Name() == name })
	if i < 0 {
		return fmt.Errorf("endpoint %q: %w", name, errUnknown)
	}
	endpoint := l.stage.endpoints[i]
	strike, ok := map[string]struct {
		do   func()
		kind kind
	}{
		"silence": {endpoint.Silence, silenced},
		"freeze":  {endpoint.Freeze, frozen},
		"mend":    {endpoint.Mend, mended},
	}[fault]
	if !ok {
		return fmt.Errorf("fault %q of an endpoint: %w, must be silence, freeze or mend", fault, errUnknown)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.faulty[name] == (strike.kind != mended) {
		return fmt.Errorf("%s endpoint %q: %w", fault, name, errNotAgain)
	}
	l.journal.add(event{scenario: liveName, kind: strike.kind, endpoint: name})
	strike.do()
	now := time.Now()
	l.faulty[name] = strike.kind != mended
	delete(l.lagging, name)
	if l.faulty[name] && l.slow {
		l.lagging[name] = now.Add(addressLag)
	}
	l.pinned = false
	l.name(now)
	return nil
}

// notPreferred is the priority of those who are not, while one is.
const notPreferred = leaderelection.MaxPriority - 1

// priority returns how much the process of a host is preferred.
func (l *live) priority(host string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.preferred == "" || host == holdfastFleet+"/"+l.preferred {
		return leaderelection.MaxPriority
	}
	return notPreferred
}

// prefer makes a contender of ours the one that should lead: it asks for the lease when a
// term has lasted for as long as a lease. The error wraps errUnknown where there is no such
// contender, and for client-go, which has no such thing; errNotAgain where it is
// preferred already.
func (l *live) prefer(kindOf, slot string) error {
	if kindOf != holdfastFleet || !slices.Contains(liveSlots, slot) {
		return fmt.Errorf("prefer contender %q of %q: %w", slot, kindOf, errUnknown)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.preferred == slot || l.vacant(kindOf, slot) {
		return fmt.Errorf("prefer %s %q: %w", kindOf, slot, errNotAgain)
	}
	l.preferred = slot
	l.journal.add(event{scenario: liveName, fleet: kindOf, contender: slot, kind: preferred})
	return nil
}

// strikeContender kills the process of a slot, which is started again after a
// while, or cuts its host off the network, or mends that, or prefers it. The error wraps
// errUnknown where there is no such slot or fault, errNotAgain where the process
// is down already or told to stop, nobody is there, or the host is as it was asked to be.
func (l *live) strikeContender(kindOf, slot, fault string) error {
	known := slices.Contains(liveSlots, slot) &&
		slices.ContainsFunc(fleets, func(f fleet) bool { return f.name == kindOf })
	if !known {
		return fmt.Errorf("contender %q of %q: %w", slot, kindOf, errUnknown)
	}
	if fault == "prefer" {
		return l.prefer(kindOf, slot)
	}
	if fault != "kill" && fault != "cut" && fault != "mend" {
		return fmt.Errorf("fault %q of a contender: %w, must be kill, cut, mend or prefer", fault, errUnknown)
	}
	host, off := kindOf+"/"+slot, fault == "cut"
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.latest[host]
	if fault == "kill" {
		if p == nil || p.gone() || !p.fate.CompareAndSwap(undecided, replaced) {
			return fmt.Errorf("kill %s %q: %w", kindOf, slot, errNotAgain)
		}
		l.stage.die(p, (*leaseapi.Host).Close)
		return nil
	}
	if l.cut[host] == off || off && l.vacant(kindOf, slot) {
		return fmt.Errorf("%s %s %q: %w", fault, kindOf, slot, errNotAgain)
	}
	what := mended
	if off {
		what = cut
	}
	l.journal.add(event{scenario: liveName, fleet: kindOf, contender: slot, kind: what})
	l.cut[host] = off
	if p == nil {
		return nil // the next process finds it so
	}
	if off {
		p.host.Silence()
	} else {
		p.host.Mend()
	}
	return nil
}

// sharedBoard is a board that one writes and many read. It is safe for
// concurrent use.
type sharedBoard struct {
	mu    sync.Mutex
	board *board
	// changed is closed and replaced when the board is.
	changed chan struct{}
}

// follow applies what the journal gets until ctx is done.
func (b *sharedBoard) follow(ctx context.Context, j *journal) {
	applied := 0
	for {
		events, reported, grown := j.after(applied)
		b.apply(events)
		applied = reported
		select {
		case <-grown:
		case <-ctx.Done():
			return
		}
	}
}

func (b *sharedBoard) apply(events []event) {
	if len(events) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range events {
		b.board.apply(e)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// view returns what is to be seen now, and a channel that is closed at the next
// change.
func (b *sharedBoard) view() (view, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.board.view(time.Now()), b.changed
}
