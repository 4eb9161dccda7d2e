package leaderelection

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// LeaderElector contends for one lease. All its methods but Run may be called
// at any time, from any goroutine; Run may be called again after it returned.
type LeaderElector struct {
	config  LeaderElectionConfig
	timing  timing
	lock    rl.Versioned
	clock   timepiece
	random  func() float64
	metrics leaderMetricsAdapter
	resign  chan stopping
	writes  *ledger

	mu sync.Mutex
	// holder is the last one seen, reported the last one that OnNewLeader was to
	// be called with, told the last one that it was called with.
	holder   string
	reported string
	told     string
	// seen is the newest record that was seen, and when.
	seen  sighting
	term  *Term
	work  *work
	queue callQueue
	// events are what the recorder is yet to be told.
	events callQueue
	// said is that the log has said what the lock lacks, loud the last lease
	// that it has called far too long.
	said bool
	loud time.Duration
}

// work is what a term guards.
type work struct {
	term *Term
	done <-chan struct{}
}

// NewLeaderElector returns an elector for config, or an error that names the
// field, its value and what it must be.
func NewLeaderElector(config LeaderElectionConfig) (*LeaderElector, error) {
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("leader election %q: %w", config.Name, err)
	}
	clk := config.Clock
	if clk == nil {
		clk = clock.RealClock{}
	}
	le := &LeaderElector{
		config:  config,
		timing:  config.timing(),
		lock:    versioned(config.Lock),
		clock:   timepiece{clk},
		random:  rand.Float64,
		metrics: newLeaderMetrics(),
		resign:  make(chan stopping),
		writes:  newLedger(),
	}
	le.metrics.leaderOff(config.Name)
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
// contending, until ctx ends.
//
// When ctx ends, the work's context is cancelled at once. Without
// ReleaseOnCancel, Run then returns and the lease runs out. With it, Run stays
// until OnStartedLeading has returned (at most StopTimeout) and the lease is
// released (at most RetryPeriod, or what is left of the term).
func (le *LeaderElector) Run(ctx context.Context) {
	defer runtime.HandleCrashWithContext(ctx)
	defer le.config.Callbacks.OnStoppedLeading()
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "lock", le.lock.Describe(), "identity", le.lock.Identity())
	le.sayWhatIsLacking(logger)
	le.joins()
	defer le.leaves()
	var aside time.Duration
	for {
		logger.Info("Contending for the lease")
		won := le.campaign(klog.NewContext(ctx, logger), aside)
		if won == nil {
			return
		}
		ended := le.leadAndTell(ctx, logger, won)
		if ctx.Err() != nil || (ended.Reason != Resigned && !le.config.ContendAgain) {
			return
		}
		if aside = 0; ended.Reason == Resigned {
			aside = le.timing.poll(1)
			le.writes.disown()
		}
		le.awaitWork(ctx)
	}
}

// leadAndTell leads, and says before and after what all the world may know.
func (le *LeaderElector) leadAndTell(ctx context.Context, logger klog.Logger, won *won) *TermEnded {
	le.metrics.leaderOn(le.config.Name)
	logger = klog.LoggerWithValues(logger, "term", le.token(won.state))
	logger.Info("Leading", "after", won.how)
	le.recordEvent(logger, "became leader")
	ended := le.lead(ctx, logger, won)
	le.metrics.leaderOff(le.config.Name)
	le.config.Trace.termEnded(le.Term(), ended)
	if ended.Reason == SameIdentity {
		logger.Error(ended, "Stopped leading", "reason", ended.Reason, "sinceRenewal", ended.Since.Round(time.Millisecond), "calls", ended.Calls)
	} else {
		logger.Info("Stopped leading", "reason", ended.Reason, "newHolder", ended.Holder, "sinceRenewal", ended.Since.Round(time.Millisecond), "calls", ended.Calls, "err", ended.Err)
	}
	le.recordEvent(logger, "stopped leading: "+string(ended.Reason))
	le.events.flush(le.clock, flushEvents)
	return ended
}

// begin makes the term that was won the current one.
func (le *LeaderElector) begin(won *won) *Term {
	term := &Term{
		lock:     le.lock.Describe(),
		holder:   le.lock.Identity(),
		acquired: won.state.Record.AcquireTime.Time,
		token:    le.token(won.state),
		length:   le.timing.term(),
		clock:    le.clock,
		doubted:  make(chan struct{}, 1),
		done:     make(chan struct{}),
		sent:     won.sent,
	}
	le.mu.Lock()
	le.term = term
	le.mu.Unlock()
	le.config.Trace.termBegan(term, won.how)
	return term
}

// token returns the fencing token of a state, which only a lock that tells
// resource versions has.
func (le *LeaderElector) token(state rl.Snapshot) string {
	if _, plain := le.lock.(*plainLock); plain {
		return ""
	}
	return state.ResourceVersion
}

func (le *LeaderElector) setWork(w *work) {
	le.mu.Lock()
	defer le.mu.Unlock()
	le.work = w
}

// awaitWork waits until the work of the last term has returned, so that it
// never runs twice in one process.
func (le *LeaderElector) awaitWork(ctx context.Context) {
	le.mu.Lock()
	w := le.work
	le.mu.Unlock()
	if w == nil {
		return
	}
	select {
	case <-w.done:
	case <-ctx.Done():
	}
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
func (le *LeaderElector) GetLeader() string {
	le.mu.Lock()
	defer le.mu.Unlock()
	return le.holder
}

// Resign steps down and leaves Run contending: as on cancellation with
// ReleaseOnCancel, the work's context is cancelled, and the lease is released
// when the work has returned. Others then have a moment in which this elector
// does not contend.
//
// It returns nil when the lease was released, an error that wraps ErrNotLeader
// when there was no term or it ended otherwise, and ctx's error when ctx ends
// first; the resignation then goes on.
func (le *LeaderElector) Resign(ctx context.Context) error {
	term := le.Term()
	if term == nil {
		return fmt.Errorf("resigning from lease %s: %w", le.lock.Describe(), ErrNotLeader)
	}
	done := make(chan error, 1)
	select {
	case le.resign <- stopping{reason: Resigned, release: true, done: done}:
	case <-term.Done():
		return fmt.Errorf("resigning from lease %s: %w", le.lock.Describe(), ErrNotLeader)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// callBound returns how long one call to the lock may take: the whole renew
// deadline if the lock sees to it that no connection stalls it, else half, so
// that there is time for a second.
func (le *LeaderElector) callBound() time.Duration {
	if _, hardened := boundOf(le.config.Lock); hardened {
		return le.timing.deadline
	}
	return le.timing.deadline / 2
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
