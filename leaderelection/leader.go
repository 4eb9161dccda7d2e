package leaderelection

import (
	"context"
	"errors"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// leadership is a contender's time as leader.
type leadership struct {
	election *election
	tenure   *tenure
	config   leaderConfig
	logger   klog.Logger
	// runCtx is Run's context.
	runCtx context.Context
	term   *Term
	// state is the newest one known, which the next write is based on.
	state rl.Snapshot

	work *work
	// stopWork cancels the work's context.
	stopWork context.CancelCauseFunc

	// stopReason is why the term is to end by choice, nil while it is to go on;
	// workReturned and patience are what that waits for, since stopRequested. release says
	// that the lease is to be released in the end, and resigned who asks whether it was.
	stopReason    *TermEndedError
	workReturned  <-chan struct{}
	patience      clock.Timer
	stopRequested instant
	release       bool
	notReleased   error // why it is not released after all
	// notice is what the work was told of the end of the term, and returnedEarly that
	// OnStartedLeading had returned before that, where the term was lost.
	notice        notice
	returnedEarly bool
	resigned      []resignation

	// renewals receives the outcome of the attempt to renew that is under way,
	// while renewing says that one is; hurry tells it that connections may have died.
	renewals chan outcome
	renewing bool
	hurry    chan struct{}
	attempt  attempt
	// timing is the election's, or shorter where the lease is stored so.
	timing timing
	// took is how long the last renewal waited for its answer; zero where that was lost.
	took         time.Duration
	goal         renewGoal
	stats        attemptStats
	renewCtx     context.Context
	stopRenewing context.CancelFunc

	// alarm stops the work even if the loop of the leader is kept from it.
	alarm *alarm
	// end ends the term, due is when to renew, and compare when to compare the
	// clocks. doubt ends a term in doubt, or one of which it is foreseen that it will
	// be over by the fastest clock.
	end, due, compare, doubt clock.Timer
	inDoubt, foreseen        bool
	// fenced is what a fence has said, and fence fires when it is to be found out
	// whether that is so, and when that was not.
	fenced fenced
	fence  clock.Timer
	// began is when the claim was sent that the term began with.
	began    instant
	handover handover
	// clocks tells of leaps; nil where compare has to find them.
	clocks *clockWatch
}

// newLeadership returns a leader of an election that is yet to lead. Its term and its
// work are noted in tenure.
func newLeadership(runCtx context.Context, logger klog.Logger, e *election, tenure *tenure, config leaderConfig) *leadership {
	return &leadership{
		election: e, tenure: tenure, config: config, logger: logger, runCtx: runCtx, timing: e.timing,
		renewals: make(chan outcome, 1), hurry: make(chan struct{}, 1),
	}
}

// begin makes the term that was won the newest one.
func (l *leadership) begin(won *acquisition) {
	l.term, l.state, l.began = l.election.newTerm(won), won.state, won.sent
	l.tenure.begin(l.term)
	l.election.trace.termBegan(l.term, won.how)
}

// lead does the leader's part until its term has ended. The lease is not released
// yet: finish does that. It is called once.
func (l *leadership) lead(won *acquisition) {
	l.begin(won)
	e, ctx, term := l.election, l.runCtx, l.term
	shorter := l.applyDurations(won.state)
	l.goal = l.newGoal(won.state.Record)
	l.attempt = l.newAttempt()
	l.renewCtx, l.stopRenewing = context.WithCancel(bounded.Unawaited(klog.NewContext(context.WithoutCancel(ctx), l.logger)))
	workCtx, stopWork := workContext(ctx, l.tenure, term)
	l.stopWork = stopWork
	// Whatever happens here, also a panic, no work goes on uncancelled.
	panicked := true
	defer func() {
		if panicked {
			defer l.tellResigned(errPanicked)
			l.endTerm(&TermEndedError{Reason: ReasonCancelled, Err: errPanicked})
		}
	}()

	now := e.clock.now()
	if term.rest(now) <= 0 {
		l.endTerm(&TermEndedError{Reason: ReasonRenewDeadline})
		panicked = false
		return
	}
	l.fenced.claimed = now.monoSince(won.sent)
	l.end = e.clock.NewTimer(term.rest(now))
	defer l.end.Stop()
	// The first renewal comes early, at random, so that the leases of a process
	// that won many at once are not all renewed in the same moment ever after.
	first := l.timing.firstRenewal(e.random())
	if e.lock.takesTurns() && now.monoSince(won.sent) < e.timing.retry/4 {
		// Whoever has written such a lock may not have been the last: one whose Update
		// compares nothing lets two claims through. It is read soon, before it is renewed,
		// unless it is so slow that both would take too long.
		first, l.attempt.readFirst = min(first, e.timing.retry/4), true
	}
	l.due = e.clock.NewTimer(max(0, first-now.monoSince(won.sent)))
	defer l.due.Stop()
	l.compare, l.doubt, l.patience, l.fence = e.clock.idleTimer(), e.clock.idleTimer(), e.clock.idleTimer(), e.clock.idleTimer()
	defer l.compare.Stop()
	defer l.doubt.Stop()
	defer l.patience.Stop()
	defer l.fence.Stop()
	if l.clocks = l.config.clocks(); l.clocks != nil {
		l.clocks.add(term)
		defer l.clocks.remove(term)
		term.doubt() // they may have leapt since its write was sent
	} else if e.clock.mayLeap() {
		l.compare.Reset(compareClocks)
	}

	l.work = l.tenure.startWork(workCtx, term)
	l.setAlarm(ctx)
	defer l.alarm.stop()
	if shorter {
		logStoredShorter(l.logger, l.timing.lease, e.timing.lease)
	}
	l.run(ctx)
	panicked = false
}

var errPanicked = errors.New("the elector panicked")

// run renews until the term is over, also while it waits for the work to return.
func (l *leadership) run(ctx context.Context) {
	cancelled := ctx.Done()
	for l.term.lasts() {
		select {
		case <-cancelled:
			cancelled = nil
			l.cancel()
		case r := <-l.term.resign:
			l.resign(r)
		case <-l.workReturned:
			l.awaitRenewal(ctx)
			l.endTerm(l.stopReason)
		case <-l.patience.C():
			l.letRunOut(stillWorking{l.config.stopTimeout})
			l.endTerm(l.stopReason)
		case <-l.end.C():
			l.timeUp()
		case <-l.alarm.rang:
			l.endTerm(l.lapsed(l.election.clock.now()))
		case <-l.due.C():
			l.renew()
		case <-l.compare.C():
			l.compareTimes()
		case <-l.term.doubted:
			l.compareTimes()
		case <-l.doubt.C():
			l.doubtOver()
		case err := <-l.term.refused:
			l.fencedBy(err)
		case <-l.fence.C():
			l.findOut()
		case own := <-l.handover.answers:
			l.decide(own)
		case o := <-l.renewals:
			l.applyOutcome(o)
		}
	}
}

// resign brings the term to its end by the wish of its own process. Whoever resigns is
// told that the work's context has ended also where a lock panics meanwhile.
func (l *leadership) resign(r resignation) {
	defer close(r.told)
	l.resigned = append(l.resigned, r)
	l.stop(&TermEndedError{Reason: ReasonResigned}, true)
}

// cancel brings the term to its end because Run's context has ended. Without
// ReleaseOnCancel nothing is waited for, also not for the sake of a Resign.
func (l *leadership) cancel() {
	if l.config.releaseOnCancel {
		l.stop(&TermEndedError{Reason: ReasonReleased}, true)
		return
	}
	l.stop(&TermEndedError{Reason: ReasonCancelled}, false)
	if !l.term.lasts() {
		return
	}
	if l.release {
		l.letRunOut(errRunEnded)
	}
	l.endTerm(l.stopReason)
}

var errRunEnded = errors.New("not released: Run's context ended before OnStartedLeading had returned; the lease runs out")

// letRunOut lets the lease run out in place of the release that was to
// be.
func (l *leadership) letRunOut(why error) {
	l.release, l.notReleased = false, why
	if l.stopReason.Reason == ReasonReleased {
		l.stopReason = &TermEndedError{Reason: ReasonCancelled, Err: why}
	}
}

// stop brings the term to its end by choice, for the first reason that there is:
// the work first; then, if the lease is to be released, it is renewed until the
// work has returned.
func (l *leadership) stop(why *TermEndedError, release bool) {
	if l.stopReason != nil || !l.term.lasts() {
		return
	}
	told := l.endWork(why)
	if told.Reason.ending().lapsed { // it was told before that the term is lost
		l.endTerm(told)
		return
	}
	l.stopReason, l.release = l.because(why), release
	if told.Reason == why.Reason {
		l.stopReason = told
	}
	l.workReturned = l.work.done
	l.stopRequested = l.election.clock.now()
	l.patience.Reset(l.config.stopTimeout)
}

// endTerm ends the term, if it has not ended: nothing comes before the end of the
// work's context.
func (l *leadership) endTerm(ended *TermEndedError) {
	if !l.term.lasts() {
		return
	}
	if told := l.endWork(ended); told.Reason.ending().lapsed && l.stopReason == nil {
		ended = told // whatever was found after that
	}
	l.returnedEarly = l.stopReason == nil && l.notice.returned
	if l.work != nil {
		l.work.prevent()
	}
	l.term.end(l.because(ended))
	l.stopRenewing()
	var o outcome
	if l.renewing { // what it has sent is added before the term is closed
		o = <-l.renewals
		l.renewing, l.state = false, o.state
		l.tellLost(o)
	}
	l.election.writes.endTerm()
	bounded.Raise(l.runCtx, o.err)
}

// tellLost tells the world what a renewal has found, if the lease is lost. It comes after
// the end of the work's context.
func (l *leadership) tellLost(o outcome) {
	if o.lost == nil {
		return
	}
	if o.seen {
		l.election.reports.report(l.logger, o.state)
	}
	l.election.trace.renewal(RenewalLost, o.took)
}

// because completes a reason before anyone can see it.
func (l *leadership) because(ended *TermEndedError) *TermEndedError {
	if ended.Lock == "" {
		ended.Lock = l.term.lock
		ended.Since = l.election.clock.now().monoSince(l.term.lastSent())
		var err error
		ended.Calls, err = l.stats.summary()
		known := ended.Reason.ending()
		if known.byContext {
			ended.cause = context.Cause(l.runCtx)
		}
		if ended.Err == nil && known.lapsed {
			ended.Err = err
		}
	}
	return ended
}

// timeUp is called when the term's timer fires, which a renewal may have moved
// in the meantime.
func (l *leadership) timeUp() {
	now := l.election.clock.now()
	if rest := l.term.rest(now); rest > 0 {
		l.end.Reset(rest)
		return
	}
	l.endTerm(l.lapsed(now))
}

// applyDurations takes the durations of a state that this term's own write has left: what is
// stored is what others go by. It reports whether the lease has become shorter.
func (l *leadership) applyDurations(stored rl.Snapshot) (shorter bool) {
	before := l.timing.lease
	l.timing = l.election.timing.storedAs(l.election.timing.heldFor(stored))
	return l.timing.lease < before
}

// applyOutcome takes in the outcome of an attempt to renew.
func (l *leadership) applyOutcome(o outcome) {
	l.renewing, l.state, l.attempt.readFirst = false, o.state, false
	bounded.Raise(l.runCtx, o.err)
	if o.lost != nil {
		l.endTerm(l.fenced.explain(o.lost))
		l.tellLost(o)
		return
	}
	now, shorter := l.election.clock.now(), false
	if o.done {
		l.took = 0
		if !o.settled {
			l.took = now.monoSince(o.sent)
		}
		l.stats.reset()
		l.election.writes.setHears(l.hears(o))
		if o.settled || !l.election.lock.takesTurns() { // else it only repeats what was written
			shorter = l.applyDurations(o.state)
		}
		l.term.extend(o.sent, l.timing)
		l.end.Reset(max(0, l.term.rest(now)))
		if shorter {
			l.alarm.ring()
		}
	}
	if l.inDoubt {
		l.compareTimes()
	}
	l.due.Reset(max(0, l.timing.nextRenewal(l.took)-now.monoSince(l.term.lastSent())))
	l.settleFence(o)
	l.heed(o.state)
	// The log comes last: it may block.
	if shorter {
		logStoredShorter(l.logger, l.timing.lease, l.election.timing.lease)
	}
	if o.done && l.logger.V(5).Enabled() { // else its values would be made for nobody
		l.logger.V(5).Info("Renewed the lease", "took", now.monoSince(o.sent))
	}
}
