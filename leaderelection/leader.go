package leaderelection

import (
	"context"
	"errors"
	"time"

	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// leadership is a contender's time as leader.
type leadership struct {
	le    *LeaderElector
	term  *Term
	state rl.Snapshot
	// run is Run's context.
	run context.Context

	// worked is closed when OnStartedLeading has returned.
	worked chan struct{}
	// stopWork cancels the work's context.
	stopWork context.CancelCauseFunc

	// renewals receives the outcome of the renewal under way; renewing says
	// whether one is.
	renewals chan outcome
	renewing bool
	// effort is what the attempt to renew that is under way has made so far.
	effort *effort

	// retry and answers are what the attempts to renew take turns to use.
	retry   clock.Timer
	answers chan answer

	end, due clock.Timer
	logger   klog.Logger
}

// stopping is how a term is brought to its end by choice.
type stopping struct {
	reason  Reason
	release bool
	// done receives whether the lease was released.
	done chan<- error
}

// lead does the leader's part until its term has ended, and returns why.
func (le *LeaderElector) lead(ctx context.Context, logger klog.Logger, won *won) *TermEnded {
	term := le.begin(won)
	l := &leadership{
		le: le, term: term, state: won.state, run: ctx,
		worked: make(chan struct{}), renewals: make(chan outcome, 1), logger: logger, effort: new(effort),
		retry: le.clock.NewTimer(le.timing.retry), answers: make(chan answer),
	}
	l.retry.Stop() // until there is an attempt
	renewCtx, stopRenewing := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logger))
	defer stopRenewing()
	workCtx, stopWork := workContext(ctx, term)
	l.stopWork = stopWork
	now := le.clock.now()
	if term.rest(now) <= 0 {
		return l.over(&TermEnded{Reason: RenewDeadline})
	}
	l.end = le.clock.NewTimer(term.rest(now))
	defer l.end.Stop()
	// The first renewal comes early, at random, so that the leases of a process
	// that won many at once are not all renewed in the same moment ever after.
	l.due = le.clock.NewTimer(max(0, le.timing.phase(le.random())-now.steady(won.sent)))
	defer l.due.Stop()

	work := &work{term: term, done: l.worked}
	le.setWork(work)
	go func() {
		defer close(l.worked)
		le.config.Callbacks.OnStartedLeading(workCtx)
	}()

	stop, over := l.reign(ctx, renewCtx)
	if over != nil {
		return over
	}
	return l.stepDown(renewCtx, stopRenewing, stop)
}

// reign renews until the term is over, which it returns, or is to be brought to
// an end.
func (l *leadership) reign(ctx, renewCtx context.Context) (stopping, *TermEnded) {
	for {
		select {
		case <-ctx.Done():
			if l.le.config.ReleaseOnCancel {
				return stopping{reason: Released, release: true}, nil
			}
			return stopping{reason: Cancelled}, nil
		case stop := <-l.le.resign:
			return stop, nil
		case <-l.end.C():
			if over := l.timeUp(); over != nil {
				return stopping{}, over
			}
		case <-l.due.C():
			l.renew(renewCtx)
		case <-l.term.doubted:
			l.renew(renewCtx)
		case o := <-l.renewals:
			if over := l.take(o); over != nil {
				return stopping{}, over
			}
		}
	}
}

// stepDown ends the term by choice: the work first; then, if the lease is to be
// released, it is renewed until the work has returned, and released.
func (l *leadership) stepDown(renewCtx context.Context, stopRenewing context.CancelFunc, stop stopping) *TermEnded {
	ended := l.because(&TermEnded{Reason: stop.reason})
	l.stopWork(ended)
	if !stop.release {
		return l.over(ended)
	}
	patience := l.le.clock.NewTimer(l.le.stopTimeout())
	defer patience.Stop()
	for {
		select {
		case <-l.worked:
			l.over(ended)
			stop.tell(l.released(l.giveUp(renewCtx, stopRenewing)))
			return ended
		case <-patience.C():
			err := l.released(stillWorking{l.le.stopTimeout()})
			if ended.Reason == Released {
				ended = l.because(&TermEnded{Reason: Cancelled, Err: err})
			}
			l.over(ended)
			stop.tell(err)
			return ended
		case <-l.end.C():
			if over := l.timeUp(); over != nil {
				stop.tell(over)
				return over
			}
		case <-l.due.C():
			l.renew(renewCtx)
		case <-l.term.doubted:
			l.renew(renewCtx)
		case o := <-l.renewals:
			if over := l.take(o); over != nil {
				stop.tell(over)
				return over
			}
		}
	}
}

// released logs what became of a release, and returns it.
func (l *leadership) released(err error) error {
	switch {
	case err == nil:
		l.logger.Info("Released the lease")
	case errors.As(err, new(stillWorking)):
		l.logger.Info("Did not release the lease", "err", err)
	default:
		l.logger.Error(err, "Could not release the lease; it runs out")
	}
	return err
}

func (s stopping) tell(err error) {
	if s.done != nil {
		s.done <- err
	}
}

// over ends the term: nothing comes before the end of the work's context.
func (l *leadership) over(ended *TermEnded) *TermEnded {
	l.stopWork(l.because(ended))
	return l.term.end(ended)
}

// because completes a reason before anyone can see it.
func (l *leadership) because(ended *TermEnded) *TermEnded {
	if ended.Lock == "" {
		ended.Lock = l.term.lock
		ended.Since = l.le.clock.now().steady(l.term.lastSent())
		var err error
		ended.Calls, err = l.effort.made()
		if ended.Reason == Released || ended.Reason == Cancelled {
			ended.cause = context.Cause(l.run)
		}
		if ended.Err == nil && (ended.Reason == RenewDeadline || ended.Reason == InDoubt) {
			ended.Err = err
		}
	}
	return ended
}

// timeUp is called when the term's timer fires. It returns nil if a renewal has
// moved the end in the meantime.
func (l *leadership) timeUp() *TermEnded {
	now := l.le.clock.now()
	if rest := l.term.rest(now); rest > 0 {
		l.end.Reset(rest)
		return nil
	}
	reason := RenewDeadline
	if suspended := now.fastest(l.term.lastSent()) - now.steady(l.term.lastSent()); suspended > l.le.timing.retry {
		reason = InDoubt
	}
	return l.over(&TermEnded{Reason: reason})
}

// renew starts a renewal unless one is under way.
func (l *leadership) renew(ctx context.Context) {
	if l.renewing {
		return
	}
	l.renewing = true
	l.effort.begin()
	go l.try(ctx, &attempt{
		le: l.le, logger: l.logger, state: l.state, known: l.term.lastSent(), effort: l.effort,
		retry: l.retry, answers: l.answers,
	})
}

// try makes one attempt to renew.
func (l *leadership) try(ctx context.Context, a *attempt) {
	began := l.le.clock.now()
	o := a.run(ctx)
	l.le.config.Trace.renewal(o.result(), l.le.clock.now().steady(began))
	l.renewals <- o
}

// take takes in the outcome of a renewal, and returns why the term is over if
// it is.
func (l *leadership) take(o outcome) *TermEnded {
	l.renewing = false
	l.state = o.state
	if o.lost != nil {
		return l.over(o.lost)
	}
	now := l.le.clock.now()
	if o.renewed {
		l.effort.begin()
		l.term.extend(o.sent)
		l.end.Reset(max(0, l.term.rest(now)))
		if l.logger.V(5).Enabled() { // else its values would be made for nobody
			l.logger.V(5).Info("Renewed the lease", "took", now.steady(o.sent))
		}
	}
	l.due.Reset(max(0, l.le.timing.retry-now.steady(l.term.lastSent())))
	return nil
}

// stillWorking is why a lease was not released.
type stillWorking struct{ bound time.Duration }

func (s stillWorking) Error() string {
	return "not released: OnStartedLeading did not return within " + s.bound.String() + " of the end of its context; the lease runs out"
}
