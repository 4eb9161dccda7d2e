package matrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// ours is the peer that the matrix is of.
const ours = "holdfast"

// oursUnderClientGo is its lock under another elector.
const oursUnderClientGo = "controller-runtime-holdfast-lock"

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
	// Peer is who contends, one of Peers; empty is "holdfast". With
	// "client-go" informers and writers are not hardened either, and there are no
	// columns of fresh connections, of a watch and of this library's lock.
	Peer string
	// Stderr takes what the columns log; nil sends it to their hosts' log files.
	Stderr io.Writer
}

// Peers returns who may contend: those whose bounds mean something here.
func Peers() []string { return []string{"client-go", "holdfast"} }

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
	stage.Play
	stage       *Stage
	fault       Fault
	timing      scenario.Timing
	peer        string
	stderr      io.Writer
	contestants []*contestant

	ctx    context.Context // of what runs until the end of the play
	cancel context.CancelFunc
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
		if f.only != nil && !f.only(c.Role) {
			continue
		}
		if o.Peer != ours && (c.Mode == fresh || c.Role == Watch || c.Role == ClientGoLeader) {
			return Result{Fault: f}, fmt.Errorf("column %s: peer %s has none", c, o.Peer)
		}
		bounds, err := BoundsOf(c, f.Network, o.Timing)
		if err != nil {
			return Result{Fault: f}, err
		}
		p.contestants = append(p.contestants, &contestant{Column: c, bounds: bounds, object: fmt.Sprintf("%s-%d", c.name(), s.plays)})
	}
	if len(p.contestants) == 0 {
		return Result{Fault: f}, nil // it can be done to none of them
	}
	err := p.run()
	p.Append(event.Event{Who: stage.Narrator, What: event.Ended})
	err = errors.Join(err, p.clear())
	result := Result{Fault: f, Events: p.Events()}
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
	p.Append(event.Event{Who: stage.Narrator, What: event.Began, Reason: p.fault.Name})
	if err := p.Observe(p.ctx, p.stage.observer.CoordinationV1().Leases(namespace), ""); err != nil {
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
	if p.fault.ready != nil {
		if err := p.fault.ready(p); err != nil {
			return err
		}
	}
	// The fault may come at any moment between two renewals.
	stage.Pause(p.ctx, rand.N(p.timing.RetryPeriod))
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

// await returns when every column shows its figure, and all have had the time
// in which a lost lease would show.
func (p *play) await() error {
	t := p.timing
	least, late := shows(p.fault.Network, t)
	longest := least
	for _, c := range p.contestants {
		b := c.bounds
		longest = max(longest, b.StopAfter, t.LeaseDuration+b.Takeover, b.Unseen, b.Write, b.WriteAgain, b.Told)
	}
	struck := time.Now()
	stage.Pause(p.ctx, least)
	ctx, cancel := context.WithDeadline(p.ctx, struck.Add(longest+grace))
	defer cancel()
	// A figure that does not come is no error of the play: the cell says so.
	for _, c := range p.contestants {
		_ = p.Await(ctx, c.String()+" to recover", func(events []event.Event) bool {
			return recovered(c.Column, c.object, c.bounds, late, events, time.Now())
		})
	}
	return p.ctx.Err()
}

// shows returns how long after the fault a lease that was lost has shown, and by
// how much answers are still late then.
func shows(w NetworkCondition, t scenario.Timing) (least, late time.Duration) {
	least = max(t.LeaseDuration+t.RenewDeadline, w.Named+t.RenewDeadline)
	switch {
	case w.Lasts == 0:
		return least, w.Late
	case w.Late > 0: // what was unanswered all the time
		return max(least, w.Lasts+t.RetryPeriod), 0
	}
	return max(least, w.Lasts+t.LeaseDuration), 0
}

// clear ends all processes and mends the laboratory, whatever became of the
// play.
func (p *play) clear() error {
	p.cancel()
	p.Tasks.Wait()
	var errs []error
	for _, c := range p.contestants {
		for _, process := range []*lab.Process{c.process, c.doomed} {
			if process != nil {
				errs = append(errs, process.Kill())
			}
		}
	}
	errs = append(errs, p.Exited())
	ctx, cancel := context.WithTimeout(context.Background(), mendBound)
	defer cancel()
	return errors.Join(append(errs, p.stage.mend(ctx, p.fault.harms))...)
}
