package leaderelection

import (
	"context"
	"time"

	"k8s.io/klog/v2"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// renewGoal is the goal of an attempt to renew.
type renewGoal struct {
	writes  *sentWrites
	reports *reporter
	clock   timepiece
	logger  klog.Logger
	// lease is how long the lease is to last.
	lease time.Duration
	// coordinated says that the API server chooses who leads.
	coordinated bool
	// slowPath counts that a write did not do.
	slowPath func()
	stats    *attemptStats
	// own is the record that the term began with.
	own rl.LeaderElectionRecord
	// known is when the write was sent that the term counts from.
	known instant
	// logged is that the log has a line about this attempt.
	logged bool
}

var _ goal = (*renewGoal)(nil)

func (r *renewGoal) entry(base rl.Snapshot, now instant) rl.Entry {
	return r.writes.add(renewal(r.own, base.Record, r.lease, now.wall), r.lease, now)
}

func (r *renewGoal) written(state rl.Snapshot, mark string, sent instant) outcome {
	r.writes.confirm(state, mark)
	return outcome{done: true, sent: sent}
}

// read settles by the record what became of the renewal: it is in it, it is not, or the
// lease is lost.
func (r *renewGoal) read(state rl.Snapshot) (outcome, bool) {
	verdict, sent := r.writes.judge(state)
	seen := verdict != nobodys || !r.outlived()
	lost := func(why TermEndedError) (outcome, bool) { return outcome{lost: &why, seen: seen}, true }
	holder, preferred := state.Record.HolderIdentity, state.Record.PreferredHolder
	switch {
	case verdict == nobodys:
		return lost(TermEndedError{Reason: ReasonLeaseDeleted})
	case verdict == others:
		r.writes.supersede()
		return lost(TermEndedError{Reason: ReasonTaken, Holder: holder})
	case verdict == imposters:
		r.writes.supersede()
		return lost(TermEndedError{Reason: ReasonSameIdentity, Holder: holder})
	case r.coordinated && preferred != "":
		return lost(TermEndedError{Reason: ReasonEndOfTerm, Holder: preferred})
	}
	r.reports.report(r.logger, state)
	switch {
	case verdict == oursOnce || sent.monoSince(r.known) <= 0:
		return outcome{}, false // no renewal has arrived yet
	}
	r.writes.settle(state)
	return outcome{done: true, settled: true, sent: sent}, true
}

// outlived reports whether another may have led since the write that the term counts
// from, as while the machine was suspended. A Lease that is gone then is no sign
// that nobody holds it: the next campaign is to know that there was a holder.
func (r *renewGoal) outlived() bool {
	return r.clock.now().fastestSince(r.known) >= r.lease
}

// failed logs that a write did not do, once in an attempt: what comes after it
// is in the line that says how the attempt ended.
func (r *renewGoal) failed(err error) {
	r.slowPath()
	if !r.logged {
		r.logged = true
		r.logger.Info("A renewal was not confirmed; reading the record", "err", err)
	}
}

// logConfirmed ends what failed began, unless the end of the term does.
func (r *renewGoal) logConfirmed(o outcome) {
	if r.logged && o.done {
		calls, _ := r.stats.summary()
		r.logger.Info("The renewal succeeded after all", "calls", calls)
	}
}

// renew starts an attempt to renew unless one is under way, or it is too late.
func (l *leadership) renew() {
	if l.renewing {
		return
	}
	if l.term.rest(l.election.clock.now()) <= 0 {
		l.timeUp()
		return
	}
	l.renewing = true
	select {
	case <-l.hurry: // meant for the last one
	default:
	}
	l.stats.reset()
	l.goal.known, l.goal.logged = l.term.lastSent(), false
	l.attempt.begin(l.state, l.inDoubt)
	l.attempt.timing, l.attempt.patience = l.timing, l.timing.patience(l.took)
	go l.try(&l.attempt)
}

// renewAtOnce has the attempt under way send another write, on a new connection.
func (l *leadership) renewAtOnce() {
	select {
	case l.hurry <- struct{}{}:
	default: // it has been told, and has not heard yet
	}
}

// try makes one attempt to renew.
func (l *leadership) try(a *attempt) {
	began := l.election.clock.now()
	o := a.run(l.renewCtx)
	o.took = l.election.clock.now().monoSince(began)
	l.goal.logConfirmed(o)
	if o.lost == nil { // else the work is told first
		l.election.trace.renewal(o.result(), o.took)
	}
	l.renewals <- o
}

// result is what an attempt came to that has not lost the lease.
func (o outcome) result() RenewalResult {
	switch {
	case o.settled:
		return RenewalSettled
	case o.done:
		return RenewalConfirmed
	}
	return RenewalGivenUp
}

// newGoal returns what the attempts to renew are for in a term that began with a record.
func (l *leadership) newGoal(began rl.LeaderElectionRecord) renewGoal {
	e := l.election
	began.HolderIdentity = e.lock.Identity()
	return renewGoal{
		writes: e.writes, reports: &e.reports, clock: e.clock, logger: l.logger,
		lease: e.timing.lease, coordinated: l.config.coordinated, slowPath: l.config.slowPath,
		stats: &l.stats, own: began,
	}
}

// newAttempt returns what all attempts to renew in this term take turns to use.
func (l *leadership) newAttempt() attempt {
	e := l.election
	return attempt{
		lock: e.lock, clock: e.clock, timing: e.timing, random: e.random, goal: &l.goal, stats: &l.stats, allowance: e.allowance,
		patience: e.timing.patience(0), bound: e.callBound,
		timer: e.clock.idleTimer(), answers: make(chan answer), hurry: l.hurry,
	}
}

// awaitRenewal waits for the attempt under way, so that nothing of this term is
// still on its way from here. It leaves it a tenth of the retry period to be
// answered: cancelled at once it would take its connection with it, and leave it
// to be read what it has written, and the release would wait for both.
func (l *leadership) awaitRenewal(ctx context.Context) {
	if !l.renewing {
		return
	}
	bound := min(l.election.timing.retry/10, l.term.rest(l.election.clock.now()))
	patience, cancel := l.election.clock.within(context.WithoutCancel(ctx), bound)
	defer cancel()
	defer context.AfterFunc(patience, l.stopRenewing)()
	l.applyOutcome(<-l.renewals)
}
