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
	le     *LeaderElector
	logger klog.Logger
	// runCtx is Run's context.
	runCtx context.Context
	term   *Term
	// state is the newest one known, which the next write is based on.
	state rl.Snapshot

	work *work
	// stopWork cancels the work's context.
	stopWork context.CancelCauseFunc

	// stopping is why the term is to end by choice, nil while it is to go on;
	// worked and patience are what that waits for, since stopped. release says that the lease is
	// to be released in the end, and resigned who asks whether it was.
	stopping *TermEndedError
	worked   <-chan struct{}
	patience clock.Timer
	stopped  instant
	release  bool
	kept     error // why it is not released after all
	resigned []resignation

	// renewals receives the outcome of the attempt to renew that is under way,
	// while trying says that one is; hurry tells it that connections may have died.
	renewals chan outcome
	trying   bool
	hurry    chan struct{}
	attempt  attempt
	// took is how long the last renewal waited for its answer; zero where that was lost.
	took         time.Duration
	goal         renewGoal
	effort       effort
	renewCtx     context.Context
	stopRenewing context.CancelFunc

	// end ends the term, due is when to renew, and compare when to compare the
	// clocks. doubt ends a term in doubt, or one of which it is foreseen that it will
	// be over by the fastest clock.
	end, due, compare, doubt clock.Timer
	inDoubt, foreseen        bool
	// clocks tells of leaps; nil where compare has to find them.
	clocks *clockWatch
}

// lead does the leader's part until its term has ended. The lease is not released
// yet: finish does that.
func (le *LeaderElector) lead(ctx context.Context, logger klog.Logger, won *won) *leadership {
	term := le.begin(won)
	l := &leadership{
		le: le, logger: logger, runCtx: ctx, term: term, state: won.state,
		renewals: make(chan outcome, 1), hurry: make(chan struct{}, 1),
	}
	l.goal = renewGoal{le: le, logger: logger, effort: &l.effort, own: won.state.Record}
	l.goal.own.HolderIdentity = le.lock.Identity()
	l.attempt = l.newAttempt()
	l.renewCtx, l.stopRenewing = context.WithCancel(bounded.Unawaited(klog.NewContext(context.WithoutCancel(ctx), logger)))
	workCtx, stopWork := workContext(ctx, term)
	l.stopWork = stopWork
	// Whatever happens here, also a panic, no work goes on uncancelled.
	panicked := true
	defer func() {
		if panicked {
			defer l.tell(errPanicked)
			l.over(&TermEndedError{Reason: ReasonCancelled, Err: errPanicked})
		}
	}()

	now := le.clock.now()
	if term.rest(now) <= 0 {
		l.over(&TermEndedError{Reason: ReasonRenewDeadline})
		panicked = false
		return l
	}
	l.end = le.clock.NewTimer(term.rest(now))
	defer l.end.Stop()
	// The first renewal comes early, at random, so that the leases of a process
	// that won many at once are not all renewed in the same moment ever after.
	l.due = le.clock.NewTimer(max(0, le.timing.phase(le.random())-now.steady(won.sent)))
	defer l.due.Stop()
	l.compare, l.doubt, l.patience = le.clock.idleTimer(), le.clock.idleTimer(), le.clock.idleTimer()
	defer l.compare.Stop()
	defer l.doubt.Stop()
	defer l.patience.Stop()
	if l.clocks = le.clocks(); l.clocks != nil {
		l.clocks.add(term)
		defer l.clocks.remove(term)
		term.doubt() // they may have leapt since its write was sent
	} else if le.clock.mayLeap() {
		l.compare.Reset(compareClocks)
	}

	l.work = startWork(workCtx, term, le.config.Callbacks.OnStartedLeading)
	le.setWork(l.work)
	l.run(ctx)
	panicked = false
	return l
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
			l.resigned = append(l.resigned, r)
			l.stop(&TermEndedError{Reason: ReasonResigned}, true)
			close(r.told)
		case <-l.worked:
			l.settleRenewal(ctx)
			l.over(l.stopping)
		case <-l.patience.C():
			l.keepFromReleasing(stillWorking{l.le.stopTimeout()})
			l.over(l.stopping)
		case <-l.end.C():
			l.timeUp()
		case <-l.due.C():
			l.renew()
		case <-l.compare.C():
			l.compareTimes()
		case <-l.term.doubted:
			l.compareTimes()
		case <-l.doubt.C():
			l.doubtOver()
		case o := <-l.renewals:
			l.take(o)
		}
	}
}

// cancel brings the term to its end because Run's context has ended. Without
// ReleaseOnCancel nothing is waited for, also not for the sake of a Resign.
func (l *leadership) cancel() {
	if l.le.config.ReleaseOnCancel {
		l.stop(&TermEndedError{Reason: ReasonReleased}, true)
		return
	}
	l.stop(&TermEndedError{Reason: ReasonCancelled}, false)
	if l.release {
		l.keepFromReleasing(errRunEnded)
	}
	l.over(l.stopping)
}

var errRunEnded = errors.New("not released: Run's context ended before OnStartedLeading had returned; the lease runs out")

// keepFromReleasing lets the lease run out in place of the release that was to
// be.
func (l *leadership) keepFromReleasing(why error) {
	l.release, l.kept = false, why
	if l.stopping.Reason == ReasonReleased {
		l.stopping = &TermEndedError{Reason: ReasonCancelled, Err: why}
	}
}

// stop brings the term to its end by choice, for the first reason that there is:
// the work first; then, if the lease is to be released, it is renewed until the
// work has returned.
func (l *leadership) stop(why *TermEndedError, release bool) {
	if l.stopping != nil || !l.term.lasts() {
		return
	}
	l.stopping, l.release = l.because(why), release
	l.stopWork(l.stopping)
	l.worked = l.work.done
	l.stopped = l.le.clock.now()
	l.patience.Reset(l.le.stopTimeout())
}

// over ends the term, if it has not ended: nothing comes before the end of the
// work's context.
func (l *leadership) over(ended *TermEndedError) {
	if !l.term.lasts() {
		return
	}
	l.stopWork(l.because(ended))
	if l.work != nil {
		l.work.prevent()
	}
	l.term.end(ended)
	l.stopRenewing()
	var o outcome
	if l.trying { // what it has sent is entered before the term is closed
		o = <-l.renewals
		l.trying, l.state = false, o.state
	}
	l.le.writes.endTerm()
	bounded.Raise(l.runCtx, o.err)
}

// because completes a reason before anyone can see it.
func (l *leadership) because(ended *TermEndedError) *TermEndedError {
	if ended.Lock == "" {
		ended.Lock = l.term.lock
		ended.Since = l.le.clock.now().steady(l.term.lastSent())
		var err error
		ended.Calls, err = l.effort.made()
		known := ended.Reason.ending()
		if known.byContext {
			ended.cause = context.Cause(l.runCtx)
		}
		if ended.Err == nil && known.byCalls {
			ended.Err = err
		}
	}
	return ended
}

// timeUp is called when the term's timer fires, which a renewal may have moved
// in the meantime.
func (l *leadership) timeUp() {
	now := l.le.clock.now()
	if rest := l.term.rest(now); rest > 0 {
		l.end.Reset(rest)
		return
	}
	reason := ReasonRenewDeadline
	if suspended := now.fastest(l.term.lastSent()) - now.steady(l.term.lastSent()); suspended > l.le.timing.retry {
		reason = ReasonInDoubt
	}
	l.over(&TermEndedError{Reason: reason})
}

// take takes in the outcome of an attempt to renew.
func (l *leadership) take(o outcome) {
	l.trying, l.state = false, o.state
	bounded.Raise(l.runCtx, o.err)
	if o.lost != nil {
		l.over(o.lost)
		return
	}
	now := l.le.clock.now()
	if o.done {
		l.took = 0
		if !o.settled {
			l.took = now.steady(o.sent)
		}
		l.effort.begin()
		l.term.extend(o.sent)
		l.end.Reset(max(0, l.term.rest(now)))
		if l.logger.V(5).Enabled() { // else its values would be made for nobody
			l.logger.V(5).Info("Renewed the lease", "took", now.steady(o.sent))
		}
	}
	if l.inDoubt {
		l.compareTimes()
	}
	l.due.Reset(max(0, l.le.timing.next(l.took)-now.steady(l.term.lastSent())))
}

// decideDoubt is how long a term may be in doubt once that is known.
const decideDoubt = 50 * time.Millisecond

// compareTimes renews at once where a clock that counts suspension says that it
// is time to, and sees to it that a term which is over by such a clock ends
// unless the renewal succeeds (rule 7 of the design). Once the clocks have leapt,
// they are compared again and again until the term counts from after the leap.
func (l *leadership) compareTimes() {
	now := l.le.clock.now()
	if l.clocks == nil && l.le.clock.mayLeap() || now.ahead(l.term.lastSent()) {
		l.compare.Reset(compareClocks)
	}
	doubted, rest := l.inDoubt, l.term.fastRest(now)
	if rest <= 0 && l.foreseen && rest > -compareClocks {
		l.over(&TermEndedError{Reason: ReasonInDoubt})
		return
	}
	l.inDoubt, l.foreseen = rest <= 0, rest > 0 && now.ahead(l.term.lastSent())
	switch {
	case l.inDoubt && !doubted:
		l.doubt.Reset(decideDoubt)
		if l.trying {
			select {
			case l.hurry <- struct{}{}:
			default: // it has been told, and has not heard yet
			}
		}
	case l.foreseen:
		l.doubt.Reset(rest)
	case !l.inDoubt:
		l.doubt.Stop()
	}
	if l.inDoubt || now.fastest(l.term.lastSent()) >= l.le.timing.period() {
		l.renew()
	}
}

// doubtOver ends a term that has been in doubt for as long as it may be. One whose
// end by the fastest clock was foreseen ends right then, unless a further leap has
// brought it past that.
func (l *leadership) doubtOver() {
	if l.foreseen {
		l.compareTimes()
	} else if l.term.inDoubt(l.le.clock.now()) {
		l.over(&TermEndedError{Reason: ReasonInDoubt})
	}
}

// finish releases the lease where that is to be and may be, once all the world
// has been told that the term is over, and tells those who have resigned.
func (l *leadership) finish(ctx context.Context) {
	defer l.tell(errPanicked) // whom nothing else has told
	ended := l.term.ending()
	switch {
	case ended == l.stopping && l.release:
		// The wait for the renewal under way had a tenth of the retry period.
		bound := min(l.term.rest(l.le.clock.now()), l.le.timing.retry-l.le.timing.retry/10)
		l.tell(l.released(l.le.giveUp(ctx, l.state, false, bound)))
	case ended == l.stopping:
		if l.kept != nil {
			_ = l.released(l.kept)
		}
		l.tell(l.kept)
	default:
		if l.le.config.ReleaseOnCancel && ended.Reason.ending().mayStillHold {
			l.releaseLost(ctx)
		}
		l.tell(ended)
	}
}

// releaseLost releases the lease after a term that was lost, if its work has
// returned and the record is still ours. It waits for the work no longer than a
// quarter of the time that work has to stop, nor than StopTimeout, and is over
// before the lease is.
func (l *leadership) releaseLost(ctx context.Context) {
	timing, patience := l.le.timing, l.le.stopTimeout()
	if l.stopping != nil {
		patience -= l.le.clock.now().steady(l.stopped)
	}
	moment := l.le.clock.NewTimer(max(0, min((timing.lease-timing.term())/4, patience)))
	defer moment.Stop()
	select {
	case <-l.workDone():
	case <-moment.C():
		return
	}
	rest := timing.lease - l.le.clock.now().steady(l.term.lastSent())
	if bound := min(rest, timing.retry); bound > 0 {
		_ = l.released(l.le.giveUp(ctx, l.state, true, bound))
	}
}

// workDone returns a channel that is closed when there is no work that has not
// returned.
func (l *leadership) workDone() <-chan struct{} {
	if l.work != nil {
		return l.work.done
	}
	none := make(chan struct{})
	close(none)
	return none
}

// tell tells those who have resigned whether the lease was released.
func (l *leadership) tell(err error) {
	for _, r := range l.resigned {
		r.done <- err
	}
	l.resigned = nil
}

// released logs what became of a release, and returns it.
func (l *leadership) released(err error) error {
	switch {
	case err == nil:
		l.logger.Info("Released the lease")
	case errors.Is(err, l.kept):
		l.logger.Info("Did not release the lease", "err", err)
	default:
		l.logger.Error(err, "Could not release the lease; it runs out")
	}
	return err
}
