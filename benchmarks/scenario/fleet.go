package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// FleetOptions say what the members of a fleet have in common.
type FleetOptions struct {
	// Name begins the name of the fleet's Lease. It must be set.
	Name string
	// Timing is the election's. It must be set.
	Timing Timing
	// ReleaseOnCancel and WorkStop are those of contender.Options.
	ReleaseOnCancel bool
	WorkStop        time.Duration
	// Stderr takes what the members log, from several goroutines at a time; nil
	// sends it to the log files of their hosts.
	Stderr io.Writer
}

// Member is one contender of a fleet.
type Member struct {
	// Host is the name of the host it runs on, which is made when it is first
	// named. Several members may share one, at a time or one after the other.
	Host string
	// Identity is what it is called; no two members of a fleet share one, as no
	// two pods share a name.
	Identity string
	// Peer is one of contender.Peers.
	Peer string
	// Through is the relay by which it reaches the API; nil is the virtual IP.
	Through *Relay
}

// Fleet is any number of contenders for one Lease, started, told to stop and
// harmed one by one, where a [Scenario] knows only a pair and one fault. All
// that happens is in one stream, from which [Measure], [Rounds],
// [MeasureEnding] and [MeasureFleet] compute the figures.
//
// A Fleet is for one goroutine at a time, and so is its stage until Close.
type Fleet struct {
	run     *run
	options FleetOptions
	lease   string
	hosts   map[string]*lab.Host
	members map[string]*lab.Process
	relays  []*Relay

	ctx    context.Context // of what runs until Close
	cancel context.CancelFunc
	close  func() error
}

// NewFleet returns a fleet without members, whose virtual IP names every API
// server, once each write of its Lease is observed. ctx bounds the beginning,
// not the life of the fleet.
func (s *Stage) NewFleet(ctx context.Context, o FleetOptions) (*Fleet, error) {
	if err := o.Timing.Validate(); err != nil {
		return nil, fmt.Errorf("fleet %q: %w", o.Name, err)
	}
	r := s.newRun()
	f := &Fleet{
		run: r, options: o, lease: fmt.Sprintf("%s-%d", o.Name, s.number()),
		hosts: map[string]*lab.Host{}, members: map[string]*lab.Process{},
	}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.close = sync.OnceValue(f.end)
	r.say(event.Event{Who: stage.Narrator, What: event.Began, Reason: fmt.Sprintf("fleet %s, %v", o.Name, o.Timing)})
	err := r.nameAll()
	if err == nil {
		err = r.Observe(f.ctx, s.observer.CoordinationV1().Leases(namespace), f.lease)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fleet %q: %w", o.Name, err), f.Close())
	}
	return f, nil
}

// Start starts a member. It does not wait for anything that the member does.
func (f *Fleet) Start(m Member) error {
	if _, known := f.members[m.Identity]; known {
		return fmt.Errorf("fleet %q: start %s: there was a member of that identity", f.options.Name, m.Identity)
	}
	host, err := f.host(m.Host)
	if err != nil {
		return fmt.Errorf("fleet %q: start %s: %w", f.options.Name, m.Identity, err)
	}
	kubeconfig := f.run.stage.kubeconfig
	if m.Through != nil {
		kubeconfig = m.Through.kubeconfig
	}
	p, err := peerProgram(contender.Options{
		Peer: m.Peer, Namespace: namespace, Lease: f.lease, Etcd: f.run.stage.lab.EtcdURL(), Timing: f.options.Timing,
		ReleaseOnCancel: f.options.ReleaseOnCancel, WorkStop: f.options.WorkStop,
	})
	if err != nil {
		return fmt.Errorf("fleet %q: start %s: %w", f.options.Name, m.Identity, err)
	}
	c, err := f.run.begin(host, m.Identity, p.command(m.Identity, kubeconfig), f.options.Stderr)
	if err != nil {
		return fmt.Errorf("fleet %q: start %s: %w", f.options.Name, m.Identity, err)
	}
	f.members[m.Identity] = c.process
	return nil
}

// host returns the host of that name, a new one if there is none.
func (f *Fleet) host(name string) (*lab.Host, error) {
	if host, known := f.hosts[name]; known {
		return host, nil
	}
	host, err := f.run.stage.lab.NewHost(name)
	if err == nil {
		f.hosts[name] = host
	}
	return host, err
}

// Kill ends a member with SIGKILL, as a fault.
func (f *Fleet) Kill(identity string) error { return f.signal(identity, "SIGKILL", syscall.SIGKILL) }

// Terminate tells a member to stop with SIGTERM, as a fault.
func (f *Fleet) Terminate(identity string) error {
	return f.signal(identity, "SIGTERM", syscall.SIGTERM)
}

func (f *Fleet) signal(identity, how string, s os.Signal) error {
	process, known := f.members[identity]
	if !known {
		return fmt.Errorf("fleet %q: %s: there is no member %q", f.options.Name, how, identity)
	}
	return f.run.Harm(stage.Fault{On: identity, How: how, Do: func() error { return process.Signal(s) }})
}

// Cut takes a host of the fleet off the network silently, as a fault.
func (f *Fleet) Cut(name string) error {
	host, known := f.hosts[name]
	if !known {
		return fmt.Errorf("fleet %q: cut: there is no host %q", f.options.Name, name)
	}
	return f.run.Harm(stage.Cut(host))
}

// Events returns what has happened so far, sorted by time.
func (f *Fleet) Events() []event.Event { return f.run.Events() }

// Await returns once cond holds for the events so far, or an error that names
// what was awaited when bound is over.
func (f *Fleet) Await(ctx context.Context, bound time.Duration, what string, cond func([]event.Event) bool) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	return f.run.Await(ctx, what, cond)
}

// Close kills the members that are left, takes the hosts away and mends the
// laboratory. What comes to light there is part of its error: an observer that
// failed has left the stream with gaps.
func (f *Fleet) Close() error { return f.close() }

func (f *Fleet) end() error {
	r := f.run
	r.say(event.Event{Who: stage.Narrator, What: event.Ended})
	f.cancel()
	r.Tasks.Wait()
	var errs []error
	for _, relay := range f.relays {
		errs = append(errs, relay.Close())
	}
	for _, host := range f.hosts {
		errs = append(errs, host.Close())
	}
	return errors.Join(append(errs, r.clear(), r.Exited())...)
}
