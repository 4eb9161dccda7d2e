package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// outlived is how long something of a program may outlive its lease before /healthz
// fails, so that the kubelet restarts the container. It does not happen unless the
// kernel cannot kill it.
const outlived = 5 * time.Second

// The first pause before it contends again, and the longest. Each is twice the one
// before, unless the program, or the term, had lasted longer than the longest.
const (
	firstPause   = time.Second
	longestPause = time.Minute
)

var (
	// errEnded is the cause of the end of an election whose program has ended.
	errEnded = errors.New("the program has ended by itself")
	// errLost is the error of a term that was lost.
	errLost = errors.New("leadership was lost")
)

// run is the command: it contends, and runs the program while it leads, until a signal
// asks it to end, the program has ended or a term was lost. It returns the exit code.
func run(o options) (code int, err error) {
	path := ""
	if len(o.command) > 0 {
		// Before anything else: who cannot run it must not lead.
		if path, err = exec.LookPath(o.command[0]); err != nil {
			return codeOfStart(err), err
		}
	}
	to, err := connect(o)
	if err != nil {
		return exitFailed, err
	}
	children, err := newChildren()
	if err != nil {
		return exitFailed, err
	}
	defer children.stop()
	registry := prometheus.NewRegistry()
	p := &program{
		path: path, argv: o.command, lease: o.lease(), grace: o.grace, workStop: to.election.Tolerance().WorkStop,
		children: children, count: newCounts(registry, func() float64 { return float64(children.orphans.Load()) }),
	}
	running, end := context.WithCancelCause(context.Background())
	defer end(nil)
	hurry, deafen := listen(end, p.pass)
	defer deafen()
	p.hurry = hurry

	e := &engagement{program: p, worked: make(chan worked, 1)}
	to.election.Callbacks = leaderelection.LeaderCallbacks{
		OnStartedLeading: e.work, OnStoppedLeading: func() {},
		OnNewLeader: func(holder string) {
			klog.Background().Info("Leader seen", "holder", holder, "self", holder == to.identity)
		},
	}
	if to.label != nil {
		to.election.Callbacks.OnStartedLeading = to.label.Around(e.work)
	}
	served := metrics(registry, to)
	if e.elector, err = leaderelection.NewLeaderElector(to.election); err != nil {
		return exitFailed, err
	}
	alive, knows := leaderelection.NewLeaderHealthzAdaptor(outlived), leaderelection.NewLeaderReadyzAdaptor()
	alive.SetLeaderElection(e.elector)
	knows.SetLeaderElection(e.elector)
	stopServing, err := serve(o.address, answers{
		lease: o.lease(), self: to.identity, elector: e.elector, alive: alive.Check, ready: knows.Check, metrics: served,
	}.handler(), end)
	if err != nil {
		return exitFailed, err
	}
	defer stopServing()

	klog.Background().Info("Starting", "identity", to.identity, "lease", o.lease(), "command", o.command, "again", o.again, "grace", o.grace,
		"leaseDuration", to.election.LeaseDuration, "renewDeadline", to.election.RenewDeadline, "retryPeriod", to.election.RetryPeriod, "address", o.address)
	if to.label != nil {
		if err := to.label.Drop(running); err != nil {
			klog.Background().Error(err, "Could not drop the label of an earlier process; the next leader takes it")
		}
	}
	return e.contend(running, o.again)
}

// engagement is the elector with the program as its work.
type engagement struct {
	elector *leaderelection.LeaderElector
	program *program
	// campaign ends the present Run. It is set before Run.
	campaign context.CancelCauseFunc
	// worked receives what became of the program in the last term whose work is over. In
	// one Run there may be several: a leader that hands the lease over contends again.
	worked chan worked
}

// worked is what became of the program in a term.
type worked struct {
	term *leaderelection.Term
	outcome
}

// work is what the term guards. When the program ends by itself the lease is given up.
func (e *engagement) work(ctx context.Context) {
	term, _ := leaderelection.TermFromContext(ctx)
	result := outcome{}
	if e.program.path == "" {
		<-ctx.Done() // who leads is all that is asked
	} else {
		result = e.program.run(ctx, term)
	}
	select {
	case <-e.worked: // an earlier term's
	default:
	}
	e.worked <- worked{term, result}
	if result.byItself {
		e.campaign(errEnded)
	}
}

// contend contends until ctx ends, and without again until the program has ended or a
// term was lost. It returns the exit code.
func (e *engagement) contend(ctx context.Context, again bool) (code int, err error) {
	for pause := firstPause; ; {
		began := time.Now()
		code, err = e.once(ctx)
		if ctx.Err() != nil || !again {
			return code, err
		}
		if time.Since(began) > longestPause {
			pause = firstPause
		}
		klog.Background().Info("Contending again", "after", pause, "code", code, "err", err)
		select {
		case <-ctx.Done():
			return e.ended(ctx, 0)
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// once contends and leads, once unless it hands the lease over.
func (e *engagement) once(ctx context.Context) (code int, err error) {
	campaign, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.campaign = cancel
	before := e.elector.Term()
	e.elector.Run(campaign)
	term := e.elector.Term()
	if term == nil || term == before {
		return e.ended(ctx, 0) // it did not lead
	}
	last := e.awaitWork(term)
	switch {
	case last.byItself:
		return last.code, last.err
	case ctx.Err() != nil:
		return e.ended(ctx, last.code)
	}
	return exitFailed, fmt.Errorf("%w: %w", errLost, term.Err())
}

// awaitWork waits for the work of a term that has ended, and returns what became of the
// program. It is over soon, since the program is killed; it may not have begun either.
func (e *engagement) awaitWork(term *leaderelection.Term) outcome {
	unbegun := time.NewTimer(time.Second)
	defer unbegun.Stop()
	for {
		select {
		case last := <-e.worked:
			if last.term == term {
				return last.outcome
			}
		case <-unbegun.C:
			if !e.program.runs() {
				return outcome{}
			}
			unbegun.Reset(time.Second)
		}
	}
}

// ended returns the exit code of a process that ctx has ended: that of the program
// where a signal has asked for it.
func (e *engagement) ended(ctx context.Context, code int) (int, error) {
	if cause := context.Cause(ctx); !errors.Is(cause, errAsked) {
		return exitFailed, cause
	}
	return code, nil
}
