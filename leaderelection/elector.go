package leaderelection

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

// LeaderElector contends for one lease. All its methods but Run may be called
// at any time, from any goroutine; Run may be called again after it returned.
type LeaderElector struct {
	config LeaderElectionConfig
	// candidate and leader are what the parts of those go by, election and tenure what
	// they share: values, so that an elector that nobody has made can be asked.
	candidate candidateConfig
	leader    leaderConfig
	election
	tenure  tenure
	metrics leaderMetricsAdapter
	// events are what the recorder is yet to be told.
	events  *events
	running atomic.Bool
	// limits has what the lock cannot do logged once.
	limits sync.Once
	// seenLast is what the last campaign knew in the end. It is Run's alone.
	seenLast observation
}

// NewLeaderElector returns an elector for config, or an error that names the
// field, its value and what it must be.
func NewLeaderElector(config LeaderElectionConfig) (*LeaderElector, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("leader election %q: %w", config.Name, err)
	}
	witnesses, err := config.witnesses()
	if err != nil {
		return nil, fmt.Errorf("leader election %q: %w", config.Name, err)
	}
	clk := config.Clock
	if clk == nil {
		clk = clock.RealClock{}
	}
	clock, timing, allowance := timepiece{clk}, config.timing(), new(allowance)
	le := &LeaderElector{
		config: config,
		election: election{
			lock:      newBoundedLock(config.Lock, clock, allowance, timing),
			timing:    timing,
			clock:     clock,
			random:    rand.Float64,
			callBound: callBound(config.Lock, timing),
			allowance: allowance,
			writes:    newSentWrites(config.Lock.Identity()),
			reports:   reporter{clock: clock, lease: timing.lease, onNewLeader: config.Callbacks.OnNewLeader},
			trace:     newTracer(config.Trace),
		},
		tenure:  tenure{clock: clock, lock: config.Lock, do: config.Callbacks.OnStartedLeading},
		metrics: newLeaderMetrics(),
	}
	le.events = &events{record: le.lock.RecordEvent}
	if le.lock.takesTurns() {
		witnesses = nil // such a lock has no place for a testimony
	}
	priority := &priority{clock: clock, bound: timing.priorityDelay(0), claimHook: config.Priority, wishHook: config.Priority}
	le.candidate = config.candidate(priority, &testifying{group: witnesses, clock: clock})
	le.leader = config.leader(priority, clock.watch, func() { le.metrics.slowpathExercised(config.Name) })
	le.metrics.leaderOff(config.Name)
	config.Trace.made(le)
	return le, nil
}

// RunOrDie contends with config until ctx ends or the term does. It panics with
// the error of NewLeaderElector if config cannot work.
func RunOrDie(ctx context.Context, config LeaderElectionConfig) {
	le, err := NewLeaderElector(config)
	if err != nil {
		panic(err)
	}
	if config.WatchDog != nil {
		config.WatchDog.SetLeaderElection(le)
	}
	if config.Readiness != nil {
		config.Readiness.SetLeaderElection(le)
	}
	le.Run(ctx)
}

// Run contends until the lease is won, leads until the term ends, and returns
// after OnStoppedLeading. With ContendAgain, and after Resign, it goes on
// contending, until ctx ends. It may be called again when it has returned, or
// from OnStoppedLeading on, but not before: a second Run at the same time says so in
// the log, returns at once and calls nothing.
//
// No campaign begins while the work of the last term has not returned, in this
// Run, an earlier one or that of another elector with the same Lock: Run waits for it,
// and says so every minute.
//
// When ctx ends, the work's context is cancelled at once. Without
// ReleaseOnCancel, Run then returns and the lease runs out. With it, Run stays
// until OnStartedLeading has returned (at most StopTimeout) and the lease is
// released (at most RetryPeriod, or what is left of the term). A term that was
// lost is released likewise where its work returns at once and the record is
// still ours.
func (le *LeaderElector) Run(ctx context.Context) {
	logger := le.logger(ctx)
	if !le.running.CompareAndSwap(false, true) {
		logger.Error(nil, "Run was called while another Run of the same elector lasts; it returns and changes nothing")
		return
	}
	defer runtime.HandleCrashWithContext(ctx)
	defer le.config.Callbacks.OnStoppedLeading()
	defer le.running.Store(false)
	le.limits.Do(func() { logLimits(logger, le.config.Lock, le.timing) })
	le.reports.joins()
	defer le.reports.leaves()
	var yieldFor time.Duration
	for le.tenure.awaitWork(klog.NewContext(ctx, logger)) {
		won := le.campaign(klog.NewContext(ctx, logger), yieldFor)
		if won == nil {
			return
		}
		ended := le.leadAndTell(ctx, logger, won)
		if ctx.Err() != nil || (ended.Reason != ReasonResigned && !le.config.ContendAgain) {
			return
		}
		if yieldFor = 0; ended.Reason == ReasonResigned {
			yieldFor = le.timing.poll(1)
		}
	}
}

// campaign contends as a candidate until the lease is won, or returns nil when ctx ends.
// Others go first for as long as yieldFor.
func (le *LeaderElector) campaign(ctx context.Context, yieldFor time.Duration) *acquisition {
	logger := klog.FromContext(ctx)
	logger.Info("Contending for the lease")
	le.writes.endTerm()
	c := newCandidacy(logger, &le.election, le.candidate, yieldFor)
	c.observation = le.seenLast.memory(le.GetLeader())
	defer func() { le.seenLast = c.observed() }()
	return c.campaign(ctx)
}

// leadAndTell leads, and says before and after what all the world may know. What
// others may lead after, the release, comes last.
func (le *LeaderElector) leadAndTell(ctx context.Context, logger klog.Logger, won *acquisition) *TermEndedError {
	logger = klog.LoggerWithValues(logger, "term", le.token(won.state))
	if won.witness != "" {
		logger.Info("Leading", "after", won.how, "witness", won.witness)
	} else {
		logger.Info("Leading", "after", won.how)
	}
	le.events.add(logger, "became leader")
	l := le.lead(ctx, logger, won)
	le.seenLast = observation{snapshot: l.state, seen: le.clock.now(), lease: le.timing.lease}
	ended := l.term.ending()
	if ended.Reason.ending().alarming {
		logger.Error(ended, "Stopped leading", "reason", ended.Reason, "sinceRenewal", ended.Since.Round(time.Millisecond), "calls", ended.Calls)
	} else {
		logger.Info("Stopped leading", "reason", ended.Reason, "newHolder", ended.Holder, "sinceRenewal", ended.Since.Round(time.Millisecond), "calls", ended.Calls, "err", ended.Err)
	}
	le.events.add(logger, "stopped leading: "+string(ended.Reason))
	l.finish(ctx)
	le.events.queue.flush(flushEvents)
	return ended
}

// lead leads until the term has ended. Metrics and trace hear of its end, be it by a panic.
func (le *LeaderElector) lead(ctx context.Context, logger klog.Logger, won *acquisition) *leadership {
	l := newLeadership(ctx, logger, &le.election, &le.tenure, le.leader)
	le.metrics.leaderOn(le.config.Name)
	defer func() {
		le.metrics.leaderOff(le.config.Name)
		if term := l.term; term != nil && term.ending() != nil {
			le.trace.termEnded(term, term.ending())
		}
	}()
	l.lead(won)
	return l
}

// logger returns the logger of ctx with what every line of this elector carries.
func (le *LeaderElector) logger(ctx context.Context) klog.Logger {
	return klog.LoggerWithValues(klog.FromContext(ctx), "lock", le.lock.Describe(), "identity", le.lock.Identity())
}

// Term returns the term that this elector leads in or led in last, nil if it
// never led. Term.Err tells which.
func (le *LeaderElector) Term() *Term { return le.tenure.newest() }

// IsLeader reports whether this elector leads now: its term lasts and is not in
// doubt.
func (le *LeaderElector) IsLeader() bool {
	term := le.Term()
	return term != nil && term.Err() == nil
}

// GetLeader returns the identity of the last holder that was seen, empty if
// there was none or it released the lease. It is for information only.
func (le *LeaderElector) GetLeader() string { return le.reports.lastHolder() }

// Status returns what the elector knows now.
func (le *LeaderElector) Status() Status {
	return statusOf(le.Term(), &le.reports, le.clock.now())
}

// Observe tells every change of leader that it learns of, in order, the present
// one first, without contending. It works by a watch of its own, or by polling
// where that is not permitted; changes between two polls are missed. The
// channel is closed when ctx ends. A receiver that is slow delays nobody; one
// that is more than 1,000 changes behind misses the oldest of them. What cannot be
// read is tried again, and said in the log of ctx.
func (le *LeaderElector) Observe(ctx context.Context) <-chan Leader {
	return le.observe(klog.NewContext(ctx, le.logger(ctx)))
}

// Resign steps down and leaves Run contending: as on cancellation with
// ReleaseOnCancel, the work's context is cancelled, and the lease is released
// when the work has returned. Others then have a moment in which this elector
// does not contend. Who leads next is whom LeaderElectionConfig.Successor names, if
// it is set; ResignTo names one itself.
//
// It returns nil when the lease was released, an error that wraps ErrNotLeader
// when there was no term or it ended otherwise, and ctx's error when ctx ends
// first; the resignation then goes on.
//
// The work itself may resign. Called from its goroutine, or with its context or
// one derived from that, Resign returns nil as soon as the work's context has
// ended, since the release waits for the work to return. With the context of a term that
// has ended it is ErrNotLeader: work left over from that ends no later term.
func (le *LeaderElector) Resign(ctx context.Context) error { return le.ResignTo(ctx, "") }

// ResignTo is Resign with the name of who is to lead next: an identity, or all of one
// before an underscore, so that the name of a Pod is enough where identities are
// made as hostname_uuid. The release says whom, and contenders of this library with
// another identity let that one go first, for LeaderElectionConfig.SuccessorWait.
// Then they contend as ever: a successor that is dead, never was, or may not watch
// the Lease costs that moment. client-go's electors wait for nobody.
//
// Nobody is named where successor is empty, this elector's own, or longer than
// resourcelock.MaxSuccessor, where the lock has no place for it (a
// resourcelock.Interface that is not Versioned), or where the API server chooses
// (Coordinated).
func (le *LeaderElector) ResignTo(ctx context.Context, successor string) error {
	return le.tenure.resign(ctx, successor)
}

// Guard returns a copy of config for the guarded work's requests. One that
// changes something is refused with an error that wraps ErrNotLeader unless
// this elector leads, and may take no longer than the rest of the term as it
// stands when it is sent, by the fastest of the machine's clocks. One that only reads
// (GET, HEAD, OPTIONS) passes; exec, attach and portforward change something by any
// method.
//
// A request whose context belongs to a term of this elector is held to that very
// term, so that work left over from an earlier one changes nothing.
//
// A change that the fence of this election refuses (package fence) is told to the
// term and sent again for up to a second, as FenceWrapper says: an API server may not
// know a new leader yet.
//
// A guard narrows the time in which a deposed leader can write; a request that
// the API server has received already may still be executed after the end of
// the term. Only a receiver that checks who leads closes that: the API server by a
// fence, any other by the fencing token.
func (le *LeaderElector) Guard(config *rest.Config) *rest.Config {
	return guardedBy(&le.tenure, config)
}
