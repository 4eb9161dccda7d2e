package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// stage is what one scenario plays on: a Lease API with three endpoints behind
// one address, and the processes of both fleets.
type stage struct {
	scenario  string
	timing    timing
	restart   time.Duration
	release   bool
	journal   *journal
	endpoints []*leaseapi.Endpoint // a, b and c
	relay     *leaseapi.Relay

	mu        sync.Mutex
	closed    bool
	processes []*process
	err       error // the first thing that went wrong with a process
	running   sync.WaitGroup
	end       chan struct{} // closed with the stage

	// priority, if set, is how much the process of a host is preferred, by fleet/slot.
	priority func(host string) int

	// successor, if set, names the process that is to lead after one that releases the
	// lease; empty is nobody.
	successor func(*process) string

	// spawned, if set, is called with each new process before it runs. It must
	// not call the stage.
	spawned func(*process)
}

// openStage starts the endpoints. Close ends the stage.
func openStage(o options, s scenario, j *journal) (*stage, error) {
	st := &stage{
		scenario: s.name, timing: o.timing, restart: o.restart, release: s.asked, journal: j, end: make(chan struct{}),
	}
	store := leaseapi.NewStore(leaseapi.Options{OnCommit: st.committed})
	for _, name := range []string{"a", "b", "c"} {
		endpoint, err := store.Serve(name)
		if err != nil {
			_ = st.close()
			return nil, fmt.Errorf("opening the stage of scenario %q: %w", s.name, err)
		}
		st.endpoints = append(st.endpoints, endpoint)
	}
	st.relay = leaseapi.NewRelay(nil, st.endpoints...)
	if s.pinned {
		st.relay.Name(st.endpoints[0])
	}
	return st, nil
}

// committed turns what the API commits into events. The Lease of a fleet bears
// its name. What is written while the stage is taken down is no event.
func (s *stage) committed(c leaseapi.Commit) {
	select {
	case <-s.end:
		return
	default:
	}
	spec := c.Lease.Spec
	e := event{at: c.Time, scenario: s.scenario, fleet: c.Lease.Name, kind: released}
	if spec.HolderIdentity != nil && *spec.HolderIdentity != "" {
		e.kind, e.contender = renewed, *spec.HolderIdentity
		if spec.RenewTime != nil && spec.LeaseDurationSeconds != nil {
			e.leaseEnd = spec.RenewTime.Add(time.Duration(*spec.LeaseDurationSeconds) * time.Second)
		}
	}
	s.journal.add(e)
}

// close ends all processes and connections and waits for them.
func (s *stage) close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.end)
	}
	processes := slices.Clone(s.processes)
	s.mu.Unlock()
	for _, p := range processes {
		p.dead.Store(true)
		p.cancel()
	}
	if s.relay != nil {
		s.relay.Close()
	}
	s.running.Wait()
	for _, endpoint := range s.endpoints {
		if err := endpoint.Close(); err != nil {
			return err
		}
	}
	return nil
}

// fail remembers the first error of a process.
func (s *stage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *stage) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// process stands for one process on a host of its own. It has its own
// connections, and they close when it ends.
type process struct {
	fleet    fleet
	name     string
	revision int // of the program; a rollout brings the next
	host     *leaseapi.Host
	cancel   context.CancelFunc
	dead     atomic.Bool // what it still does while it unwinds is no event
	ready    atomic.Bool // it has led, or seen another lead
	leads    atomic.Bool // its work runs
	over     atomic.Bool // it has ended
	fate     atomic.Int32
}

// What becomes of the place of a process that ends. It is decided once.
const (
	undecided int32 = iota
	replaced        // a kubelet starts another there
	retired         // nobody is started there, since it is told to stop
	vacated         // so it was, and it has ended
)

// gone reports whether the process has died or ended.
func (p *process) gone() bool { return p.dead.Load() || p.over.Load() }

// decide settles what becomes of its place, and reports whether it is that.
func (p *process) decide(fate int32) bool {
	return p.fate.CompareAndSwap(undecided, fate) || p.fate.Load() == fate
}

// slot is what a process and all that were started in its place have in common.
func (p *process) slot() string { return slotOf(p.name) }

// slotOf takes the number of the restart off a name.
func slotOf(name string) string {
	slot, _, _ := strings.Cut(name, "-")
	return slot
}

// nextName names the process that is started in the place of another: one,
// one-2, one-3.
func nextName(name string) string {
	slot, number, _ := strings.Cut(name, "-")
	n, err := strconv.Atoi(number)
	if err != nil {
		n = 1
	}
	return fmt.Sprintf("%s-%d", slot, n+1)
}

// spawn starts a process that contends until it ends or the stage does.
func (s *stage) spawn(f fleet, name string, revision int) (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("starting %s %q: the scenario is over", f.name, name)
	}
	host, err := s.relay.Host(f.name + "/" + name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{fleet: f, name: name, revision: revision, host: host, cancel: cancel}
	s.processes = append(s.processes, p)
	if s.spawned != nil {
		s.spawned(p)
	}
	s.running.Go(func() { s.run(ctx, p) })
	return p, nil
}

// run is the life of a process. One that loses its lease exits, as the programs
// that use either library do, and is started again after a while, as a kubelet
// does; that is a new process with a new identity and new connections.
func (s *stage) run(ctx context.Context, p *process) {
	defer p.cancel()
	s.report(p, started, "")
	var once sync.Once
	var priority func() int
	if s.priority != nil {
		priority = func() int { return s.priority(p.fleet.name + "/" + p.slot()) }
	}
	var successor func(context.Context) (string, error)
	if s.successor != nil {
		successor = func(context.Context) (string, error) { return s.successor(p), nil }
	}
	err := p.fleet.elect(ctx, candidacy{
		priority:  priority,
		successor: successor,
		timing:    s.timing,
		config:    p.host.Config(),
		lock:      p.fleet.name,
		identity:  p.name,
		release:   s.release,
		work: func(ctx context.Context) {
			p.ready.Store(true)
			s.report(p, leading, "")
			p.leads.Store(true) // whoever sees it finds the event told
			<-ctx.Done()
			p.leads.Store(false)
			if handedOver(ctx) {
				s.report(p, handed, "")
				return
			}
			s.report(p, stopped, "")
		},
		newLeader: func(identity string) {
			if identity != "" && identity != p.name {
				p.ready.Store(true)
				once.Do(func() { s.report(p, standing, "") })
			}
		},
	})
	p.over.Store(true)
	p.host.Close()
	s.forget(p)
	if err != nil {
		s.fail(err)
		return
	}
	if ctx.Err() != nil && p.fate.Load() != replaced {
		s.leave(p)
		return
	}
	s.report(p, exited, fmt.Sprintf("exits, leader election lost; starts again in %v", s.restart))
	select {
	case <-time.After(s.restart):
		if !p.decide(replaced) {
			s.leave(p)
			return
		}
		_, _ = s.spawn(p.fleet, nextName(p.name), p.revision) // refused only when the scenario is over
	case <-s.end:
	}
}

// leave is the end of a process that nobody follows in its place.
func (s *stage) leave(p *process) {
	p.fate.CompareAndSwap(retired, vacated)
	s.report(p, left, "")
}

// forget drops a process that has ended.
func (s *stage) forget(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = slices.DeleteFunc(s.processes, func(other *process) bool { return other == p })
}

// alive returns the processes that have not ended.
func (s *stage) alive() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.processes)
}

func (s *stage) report(p *process, k kind, text string) {
	if !p.dead.Load() {
		s.journal.add(event{
			scenario: s.scenario, fleet: p.fleet.name, contender: p.name, revision: p.revision, kind: k, text: text,
		})
	}
}

// die ends a process in no order: how says what its connections come to.
func (s *stage) die(p *process, how func(*leaseapi.Host)) {
	s.report(p, died, "")
	p.dead.Store(true)
	how(p.host)
	p.cancel()
}

// leaders returns the process that holds the lease, for each fleet.
func (s *stage) leaders() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var leaders []*process
	for _, f := range fleets {
		events, _ := s.journal.of(s.scenario, f.name)
		holder := evaluate(s.scenario, f.name, events, time.Now()).holder
		for _, p := range s.processes {
			if p.fleet.name == f.name && p.name == holder {
				leaders = append(leaders, p)
			}
		}
	}
	return leaders
}

// await waits until the events of a fleet satisfy enough. The error wraps the
// context's cause, or what went wrong with a process.
func (s *stage) await(ctx context.Context, f fleet, enough func([]event) bool) error {
	for {
		events, grown := s.journal.of(s.scenario, f.name)
		if enough(events) {
			return nil
		}
		if err := s.failure(); err != nil {
			return err
		}
		select {
		case <-grown:
		case <-time.After(time.Second): // a process that failed leaves no event
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
