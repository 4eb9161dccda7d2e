package leaderelection

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// LeaderElector contends for one lease. All its methods but Run may be called
// at any time, from any goroutine; Run may be called again after it returned.
type LeaderElector struct {
	config  LeaderElectionConfig
	timing  timing
	lock    *boundedLock
	clock   timepiece
	random  func() float64
	clocks  func() *clockWatch
	metrics leaderMetricsAdapter
	writes  *sentWrites
	trace   *tracer
	running atomic.Bool
	// allowance is for the calls of all campaigns and terms.
	allowance *allowance
	// preferred is Priority, as it is asked for a wish of this contender and of another.
	preferred func() int
	// witnesses know of dead processes, and leave word of this one.
	witnesses testifying
	// successors are the calls of Successor, priorities those of Priority.
	successors, priorities bounded.Calls
	// seenLast is what the last campaign knew in the end. It is Run's alone.
	seenLast observation
	// reports has what was seen of the lease, events what the recorder is yet to be told.
	reports *reporter
	events  *events
	// limits has what the lock cannot do logged once.
	limits sync.Once

	mu   sync.Mutex
	term *Term
	work *work
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
	allowance := new(allowance)
	le := &LeaderElector{
		config:  config,
		timing:  config.timing(),
		lock:    newBoundedLock(config.Lock, timepiece{clk}, allowance, config.timing()),
		clock:   timepiece{clk},
		random:  rand.Float64,
		metrics: newLeaderMetrics(),
		writes:  newSentWrites(config.Lock.Identity()),
		trace:   newTracer(config.Trace),

		allowance: allowance,
		preferred: config.Priority,
		witnesses: testifying{group: witnesses, clock: timepiece{clk}},
	}
	le.reports = &reporter{clock: le.clock, lease: le.timing.lease, onNewLeader: config.Callbacks.OnNewLeader}
	le.events = &events{record: le.lock.RecordEvent}
	if le.lock.takesTurns() {
		le.witnesses.group = nil // such a lock has no place for a testimony
	}
	le.clocks = le.clock.watch
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
	logCtx := klog.NewContext(ctx, logger)
	le.limits.Do(func() { logLimits(logger, le.config.Lock, le.timing) })
	le.reports.joins()
	defer le.reports.leaves()
	var yieldFor time.Duration
	for le.awaitWork(logCtx) {
		logger.Info("Contending for the lease")
		le.writes.endTerm()
		won := le.campaign(logCtx, yieldFor)
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

// logger returns the logger of ctx with what every line of this elector carries.
func (le *LeaderElector) logger(ctx context.Context) klog.Logger {
	return klog.LoggerWithValues(klog.FromContext(ctx), "lock", le.lock.Describe(), "identity", le.lock.Identity())
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
	l := le.leadAndCount(ctx, logger, won)
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

// leadAndCount leads. Metrics and trace hear of the end of the term, be it by a panic.
func (le *LeaderElector) leadAndCount(ctx context.Context, logger klog.Logger, won *acquisition) *leadership {
	le.metrics.leaderOn(le.config.Name)
	defer func() {
		le.metrics.leaderOff(le.config.Name)
		if term := le.Term(); term != nil && term.ending() != nil {
			le.trace.termEnded(term, term.ending())
		}
	}()
	return le.lead(ctx, logger, won)
}

// begin makes the term that was won the current one.
func (le *LeaderElector) begin(won *acquisition) *Term {
	timing := le.timing.storedAs(le.timing.heldFor(won.state))
	term := &Term{
		lock:     le.lock.Describe(),
		holder:   le.lock.Identity(),
		acquired: won.state.Record.AcquireTime.Time,
		token:    le.token(won.state),
		clock:    le.clock,
		doubted:  make(chan struct{}, 1),
		refused:  make(chan error, 1),
		resign:   make(chan resignation),
		done:     make(chan struct{}),
		sent:     won.sent,
		length:   timing.term(),
		holds:    timing.lease,
	}
	le.mu.Lock()
	le.term = term
	le.mu.Unlock()
	le.trace.termBegan(term, won.how)
	return term
}

// token returns the fencing token of a state, which only a lock that tells
// resource versions has.
func (le *LeaderElector) token(state rl.Snapshot) string {
	if _, plain := le.lock.Versioned.(*plainLock); plain {
		return ""
	}
	return state.ResourceVersion
}

func (le *LeaderElector) setWork(w *work) {
	le.mu.Lock()
	defer le.mu.Unlock()
	le.work = w
}

// Term returns the term that this elector leads in or led in last, nil if it
// never led. Term.Err tells which.
func (le *LeaderElector) Term() *Term {
	le.mu.Lock()
	defer le.mu.Unlock()
	return le.term
}

// IsLeader reports whether this elector leads now: its term lasts and is not in
// doubt.
func (le *LeaderElector) IsLeader() bool {
	term := le.Term()
	return term != nil && term.Err() == nil
}

// GetLeader returns the identity of the last holder that was seen, empty if
// there was none or it released the lease. It is for information only.
func (le *LeaderElector) GetLeader() string { return le.reports.lastHolder() }

// callBound returns how long one call to the lock may take: the whole renew
// deadline if the lock sees to it that no connection stalls it, else half of a
// term, which is as slow as an API may always be.
func (le *LeaderElector) callBound() time.Duration {
	if _, hardened := boundOf(le.config.Lock); hardened {
		return le.timing.deadline
	}
	return le.timing.term() / 2
}

func (le *LeaderElector) stopTimeout() time.Duration {
	if le.config.StopTimeout > 0 {
		return le.config.StopTimeout
	}
	return max(le.timing.deadline, leastPatience)
}

// leastPatience is the least that work is given to stop before a release, if
// nothing is configured: how fast work stops has nothing to do with how short
// the lease is.
const leastPatience = 10 * time.Second
