package starved

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
)

// Who is short of CPU.
type Who string

// The processes of a measurement.
const (
	Leader  Who = "leader"
	Standby Who = "standby"
	Server  Who = "server"
)

// Options say what to measure.
type Options struct {
	// Peer is one of contender.Peers.
	Peer string
	// Starved is who gets no more than Percent of one CPU.
	Starved Who
	Percent float64
	// Leases is how many leases are contended for, by Electors in each process: the
	// first process leads all of them at first, the second stands by.
	Leases, Electors int
	// Timing is the elections'.
	Timing contender.Timing
	// Window is how long to measure. Where it is the standby that is starved, the
	// leader's process is killed as it begins.
	Window time.Duration
}

// Result is what came of it.
type Result struct {
	// Lost is how many terms ended though nobody had asked.
	Lost int
	// Led is the share of the window in which the leases had a leader.
	Led float64
	// Commits is how many writes the API committed in the window.
	Commits int64
}

// settling bounds how long it may take until all leases are led.
const settling = time.Minute

// measurement is one in progress.
type measurement struct {
	Options
	name    string
	record  record
	commits chan int64
	broken  chan string
	all     map[Who]*process
}

// Measure runs one measurement. The error wraps what the system refused, or says
// who did not settle.
func Measure(ctx context.Context, o Options) (r Result, err error) {
	folder, err := os.MkdirTemp("", "starved")
	if err != nil {
		return r, err
	}
	m := &measurement{
		Options: o, name: fmt.Sprintf("holdfast-%d-%s", os.Getpid(), filepath.Base(folder)),
		commits: make(chan int64, 1), broken: make(chan string, 1), all: map[Who]*process{},
	}
	defer func() {
		for _, p := range m.all {
			err = errors.Join(err, p.kill())
		}
		err = errors.Join(err, os.RemoveAll(folder))
	}()
	kubeconfig := filepath.Join(folder, "kubeconfig")
	if err := m.start(ctx, Server, role{Kubeconfig: kubeconfig}); err != nil {
		return r, err
	}
	if err := m.start(ctx, Leader, m.contenders(Leader, kubeconfig)); err != nil {
		return r, err
	}
	for deadline := time.Now().Add(settling); m.record.leading() < o.Leases; {
		if time.Now().After(deadline) {
			return r, fmt.Errorf("%s: %d of %d leases are led after %v, with all the CPU there is", o.Peer, m.record.leading(), o.Leases, settling)
		}
		if err := m.wait(ctx, 20*time.Millisecond); err != nil {
			return r, err
		}
	}
	if err := m.start(ctx, Standby, m.contenders(Standby, kubeconfig)); err != nil {
		return r, err
	}
	if err := m.wait(ctx, 2*o.Timing.RetryPeriod); err != nil { // the standby has seen the leader
		return r, err
	}
	return m.observe(ctx)
}

// observe starves who is to be starved and says what comes of it.
func (m *measurement) observe(ctx context.Context) (r Result, err error) {
	if err := m.all[m.Starved].starve(m.name, m.Percent); err != nil {
		return r, err
	}
	before, err := m.committed(ctx)
	if err != nil {
		return r, err
	}
	begun := time.Now()
	if m.Starved == Standby {
		p := m.all[Leader]
		delete(m.all, Leader)
		if err := p.kill(); err != nil {
			return r, err
		}
		begun = time.Now()
		m.record.died(begun, func(who string) bool { return strings.HasPrefix(who, string(Leader)) })
	}
	if err := m.wait(ctx, m.Window); err != nil {
		return r, err
	}
	r.Lost, r.Led = m.record.between(begun, begun.Add(m.Window), m.Leases)
	after, err := m.committed(ctx)
	r.Commits = after - before
	return r, err
}

func (m *measurement) contenders(who Who, kubeconfig string) role {
	return role{Kubeconfig: kubeconfig, Electors: m.Electors, Leases: m.Leases, Options: contender.Options{
		Peer: m.Peer, Identity: string(who), Namespace: "default", Lease: "starved", Kubeconfig: kubeconfig,
		Timing: m.Timing,
	}}
}

// start starts a process and waits until it says that it is ready.
func (m *measurement) start(ctx context.Context, who Who, r role) error {
	ready := make(chan struct{}, 1)
	p, err := start(r, func(l line) {
		m.record.heard(l)
		switch {
		case l.Broken != "":
			select {
			case m.broken <- l.Broken:
			default:
			}
		case l.Ready:
			select {
			case ready <- struct{}{}:
			default:
				m.commits <- l.Commits
			}
		}
	})
	if err != nil {
		return err
	}
	m.all[who] = p
	deadline := time.After(settling)
	select {
	case <-ready:
		ready <- struct{}{} // full: what it says from now on are commits
		return nil
	case why := <-m.broken:
		return fmt.Errorf("%s of %s: %s", who, m.Peer, why)
	case <-deadline:
		return fmt.Errorf("%s of %s is not ready after %v", who, m.Peer, settling)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// committed asks the API server for its commits, which takes it long where it is the
// one that is starved.
func (m *measurement) committed(ctx context.Context) (int64, error) {
	if err := m.all[Server].ask(); err != nil {
		return 0, err
	}
	select {
	case n := <-m.commits:
		return n, nil
	case <-time.After(settling):
		return 0, fmt.Errorf("the API server does not answer for %v", settling)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (m *measurement) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case why := <-m.broken:
		return fmt.Errorf("a contender of %s: %s", m.Peer, why)
	case <-ctx.Done():
		return ctx.Err()
	}
}
