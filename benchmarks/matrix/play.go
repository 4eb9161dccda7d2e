package matrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// ours is the peer that the matrix is of.
const ours = "holdfast"

// narrator is whose words the faults are.
const narrator = "matrix"

const (
	// startBound is how long the columns may take to be ready, connectBound how
	// long, of that, to be connected to the victim.
	startBound   = 40 * time.Second
	connectBound = 5 * time.Second
	// mendBound is how long the servers may take to be well again.
	mendBound = 2 * time.Minute
	// grace is how long past the last bound a play waits for a figure.
	grace = time.Second
	// steerings is how often a play is begun anew because a column was not
	// connected to the victim.
	steerings = 3
)

// Options say how faults are played.
type Options struct {
	// Timing is the election's. It must be set.
	Timing scenario.Timing
	// Peer is who contends, one of contender.Peers; empty is "holdfast". With
	// "client-go" informers and writers are not hardened either, and there are no
	// columns of fresh connections and none of a watch, which it does not have.
	Peer string
	// Stderr takes what the columns log; nil sends it to their hosts' log files.
	Stderr io.Writer
}

// Result is what came of one fault.
type Result struct {
	Fault Fault
	// Cells are in the order of the columns.
	Cells []Cell
	// Events is the whole stream, sorted by time.
	Events []event.Event
	// Took is how long it took in all.
	Took time.Duration
}

// contestant is a column in a play.
type contestant struct {
	Column
	object  string
	bounds  Bounds
	host    *lab.Host
	process *lab.Process
	// leaderHost and doomed are those of the leader that a candidate waits for.
	leaderHost *lab.Host
	doomed     *lab.Process
	steered    bool
}

func (c *contestant) hosts() []*lab.Host {
	if c.leaderHost != nil {
		return []*lab.Host{c.host, c.leaderHost}
	}
	return []*lab.Host{c.host}
}

// doomedName is the identity of the leader that a candidate waits for.
func (c Column) doomedName() string { return c.name() + "-leader" }

// play is one fault in progress.
type play struct {
	stage       *Stage
	fault       Fault
	timing      scenario.Timing
	peer        string
	stderr      io.Writer
	contestants []*contestant

	log    event.Log
	ctx    context.Context // of what runs until the end of the play
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	exits  sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

// Play brings one fault upon the columns, measures, and mends everything. A
// column that was not connected to the victim has it played again, up to three
// times in all. ctx ends it early, with an error.
func (s *Stage) Play(ctx context.Context, f Fault, columns []Column, o Options) (Result, error) {
	begun := time.Now()
	var result Result
	for range steerings {
		var err error
		if result, err = s.playOnce(ctx, f, columns, o); err != nil {
			return result, fmt.Errorf("fault %s: %w", f.Name, err)
		}
		if !slices.ContainsFunc(result.Cells, func(c Cell) bool { return c.Verdict() == Untested }) {
			break
		}
	}
	result.Took = time.Since(begun)
	return result, nil
}

func (s *Stage) playOnce(ctx context.Context, f Fault, columns []Column, o Options) (Result, error) {
	s.plays++
	if o.Peer == "" {
		o.Peer = ours
	}
	p := &play{stage: s, fault: f, timing: o.Timing, peer: o.Peer, stderr: o.Stderr}
	p.ctx, p.cancel = context.WithCancel(ctx)
	for _, c := range columns {
		if o.Peer != ours && (c.Mode == fresh || c.Role == Watch) {
			return Result{Fault: f}, fmt.Errorf("column %s: peer %s has none", c, o.Peer)
		}
		bounds, err := BoundsOf(c, f.Weather, o.Timing)
		if err != nil {
			return Result{Fault: f}, err
		}
		p.contestants = append(p.contestants, &contestant{Column: c, bounds: bounds, object: fmt.Sprintf("%s-%d", c.name(), s.plays)})
	}
	err := p.run()
	p.log.Append(event.Event{Who: narrator, What: event.Ended})
	err = joined(err, p.clear())
	result := Result{Fault: f, Events: p.log.Events()}
	if err != nil {
		return result, err
	}
	for _, c := range p.contestants {
		result.Cells = append(result.Cells, measure(f, c.Column, c.object, c.bounds, c.steered, result.Events, o.Timing))
	}
	return result, nil
}

// run is the play up to the last figure.
func (p *play) run() error {
	p.log.Append(event.Event{Who: narrator, What: event.Began, Reason: p.fault.Name})
	if err := p.observe(); err != nil {
		return err
	}
	if err := p.prepare(); err != nil {
		return err
	}
	if err := p.gather(); err != nil {
		return err
	}
	if err := p.connect(); err != nil {
		return err
	}
	// The fault may come at any moment between two renewals.
	pause(p.ctx, rand.N(p.timing.RetryPeriod))
	for _, c := range p.contestants {
		connected, err := p.connected(c)
		if err != nil {
			return err
		}
		c.steered = connected
	}
	if err := p.nameAll(); err != nil {
		return err
	}
	if err := p.strike(); err != nil {
		return fmt.Errorf("bring the fault: %w", err)
	}
	return p.await()
}

func (p *play) observe() error {
	ready := make(chan struct{})
	failed := make(chan error, 1)
	var once sync.Once
	p.tasks.Go(func() {
		if err := p.stage.observe(p.ctx, &p.log, func() { once.Do(func() { close(ready) }) }); err != nil {
			p.try(err)
			failed <- err
		}
	})
	select {
	case <-ready:
		return nil
	case <-failed:
		return errors.New("the observer could not begin")
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// prepare makes hosts that know the victim only, objects and tokens.
func (p *play) prepare() error {
	s := p.stage
	for _, c := range p.contestants {
		var err error
		if c.host, err = s.host(c.name()); err != nil {
			return err
		}
		if c.Role == Candidate {
			if c.leaderHost, err = s.host(c.doomedName()); err != nil {
				return err
			}
		}
		if err := s.make(p.ctx, c.Column, c.object); err != nil {
			return err
		}
	}
	s.names.set(s.servers[0].Addr())
	if err := s.setToken(oldToken); err != nil {
		return err
	}
	for _, f := range s.fronts {
		f.SetTokens(map[string]string{oldToken: user})
	}
	return p.name(p.backendsOf()[0])
}

// gather starts all processes and returns when each does what it is to do.
func (p *play) gather() error {
	ctx, cancel := context.WithTimeout(p.ctx, startBound)
	defer cancel()
	for _, c := range p.contestants {
		var err error
		switch c.Role {
		case Leader:
			c.process, err = p.contend(c, c.host, c.name())
		case Candidate:
			c.doomed, err = p.contend(c, c.leaderHost, c.doomedName())
		default:
			c.process, err = p.probe(c)
		}
		if err != nil {
			return err
		}
		if c.Role == Watch || c.Role == Informer {
			p.tasks.Go(func() { p.try(p.stage.change(p.ctx, c.Column, c.object, &p.log)) })
		}
	}
	for _, c := range p.contestants {
		if c.Role != Candidate {
			continue
		}
		if err := p.awaitAll(ctx, c.doomedName()+" to lead", says(c.doomedName(), event.Leading)); err != nil {
			return err
		}
		var err error
		if c.process, err = p.contend(c, c.host, c.name()); err != nil {
			return err
		}
	}
	for _, c := range p.contestants {
		if err := p.awaitAll(ctx, c.String()+" to be ready", func(events []event.Event) bool { return ready(c.Column, c.object, events) }); err != nil {
			return err
		}
	}
	return nil
}

// awaitAll is Log.Await for a time in which no process may exit.
func (p *play) awaitAll(ctx context.Context, what string, cond func([]event.Event) bool) error {
	gone := func(events []event.Event) (event.Event, bool) {
		i := slices.IndexFunc(events, func(e event.Event) bool { return e.What == event.Exited || e.What == event.Unreadable })
		if i < 0 {
			return event.Event{}, false
		}
		return events[i], true
	}
	err := p.log.Await(ctx, what, func(events []event.Event) bool {
		_, exited := gone(events)
		return exited || cond(events)
	})
	if e, exited := gone(p.log.Events()); exited && err == nil {
		return fmt.Errorf("await %s: %s %s %s", what, e.Who, e.What, e.Reason)
	}
	return err
}

// contend starts a contender of the column's.
func (p *play) contend(c *contestant, host *lab.Host, identity string) (*lab.Process, error) {
	path, args, env, err := contender.Command(contender.Options{
		Peer: p.peer, Identity: identity, Namespace: namespace, Lease: c.object, Kubeconfig: p.kubeconfig(),
		LeaseDuration: p.timing.LeaseDuration, RenewDeadline: p.timing.RenewDeadline, RetryPeriod: p.timing.RetryPeriod,
		Mode: c.mode(),
	})
	if err != nil {
		return nil, err
	}
	return p.start(host, identity, path, args, env)
}

func (p *play) probe(c *contestant) (*lab.Process, error) {
	path, args, env, err := probeCommand(probeOptions{column: c.Column, kubeconfig: p.kubeconfig(), object: c.object, timing: p.timing, plain: p.peer != ours})
	if err != nil {
		return nil, err
	}
	return p.start(c.host, c.name(), path, args, env)
}

func (p *play) kubeconfig() string {
	switch p.fault.by {
	case tokens:
		return p.stage.byToken
	case names:
		return p.stage.byName
	}
	return p.stage.byVIP
}

// start starts a process whose words and exit are in the log.
func (p *play) start(host *lab.Host, who, path string, args, env []string) (*lab.Process, error) {
	if p.fault.by == names {
		env = append(env, nameserverVariable+"="+p.stage.namesAt.String())
	}
	process, err := host.Start(lab.Command{Path: path, Args: args, Env: env, Stdout: p.log.Lines(who), Stderr: p.stderr})
	if err != nil {
		return nil, err
	}
	p.exits.Go(func() {
		<-process.Done()
		code := process.ExitCode()
		p.log.Append(event.Event{Who: who, What: event.Exited, Code: &code})
	})
	return process, nil
}

// connected reports whether the column is connected to the victim, or keeps no
// connection that could be.
func (p *play) connected(c *contestant) (bool, error) {
	if !c.keeps() {
		return true, nil
	}
	to, err := c.host.ConnectedTo()
	return slices.Contains(to, p.backendsOf()[0]), err
}

// connect waits until every column is connected to the victim.
func (p *play) connect() error {
	ctx, cancel := context.WithTimeout(p.ctx, connectBound)
	defer cancel()
	for _, c := range p.contestants {
		for {
			connected, err := p.connected(c)
			if err != nil {
				return err
			}
			if connected {
				break
			}
			if pause(ctx, 20*time.Millisecond); ctx.Err() != nil {
				return fmt.Errorf("%s is not connected to the victim: %w", c, ctx.Err())
			}
		}
	}
	return nil
}

// await returns when every column shows its figure, and all have had the time
// in which a lost lease would show.
func (p *play) await() error {
	t := p.timing
	least := max(t.LeaseDuration+t.RenewDeadline, p.fault.Weather.Lasts+t.LeaseDuration, p.fault.Weather.Named+t.RenewDeadline)
	longest := least
	for _, c := range p.contestants {
		b := c.bounds
		longest = max(longest, b.StopAfter, t.LeaseDuration+b.Takeover, b.Unseen, b.Write, b.WriteAgain)
	}
	struck := time.Now()
	pause(p.ctx, least)
	ctx, cancel := context.WithDeadline(p.ctx, struck.Add(longest+grace))
	defer cancel()
	// A figure that does not come is no error of the play: the cell says so.
	for _, c := range p.contestants {
		_ = p.log.Await(ctx, c.String()+" to recover", func(events []event.Event) bool {
			return recovered(c.Column, c.object, c.bounds, events, time.Now())
		})
	}
	return p.ctx.Err()
}

// clear ends all processes and mends the laboratory, whatever became of the
// play.
func (p *play) clear() error {
	p.cancel()
	p.tasks.Wait()
	var errs []error
	for _, c := range p.contestants {
		for _, process := range []*lab.Process{c.process, c.doomed} {
			if process != nil {
				errs = append(errs, process.Kill())
			}
		}
	}
	p.exits.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), mendBound)
	defer cancel()
	errs = append(errs, p.stage.mend(ctx, p.fault.harms))
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(append(errs, p.errs...)...)
}

// try makes an error the play's own, where nobody can return it.
func (p *play) try(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}

func joined(errs ...error) error { return errors.Join(errs...) }
