package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// releaseGoal is the goal of an attempt to release.
type releaseGoal struct {
	writes *sentWrites
	// former judges by what was sent before everything was disowned.
	former *sentWrites
	// successor is whom the release names; empty for nobody.
	successor string
}

var _ goal = (*releaseGoal)(nil)

func (r *releaseGoal) entry(base rl.Snapshot, now instant) rl.Entry {
	return r.writes.releaseEntry(base.Record, r.successor, now)
}

func (r *releaseGoal) written(rl.Snapshot, string, instant) outcome { return outcome{done: true} }

// read is settled when the record is no longer ours: released, or another's.
func (r *releaseGoal) read(state rl.Snapshot) (outcome, bool) {
	verdict, _ := r.former.judge(state)
	switch verdict {
	case ours, oursOnce:
		return outcome{}, false
	case imposters:
		return outcome{lost: &TermEndedError{Reason: ReasonSameIdentity, Holder: state.Record.HolderIdentity}}, true
	}
	return outcome{done: true, settled: true}, true
}

func (r *releaseGoal) failed(error) {}

// giveUp releases the lease within bound, and returns nil if it is known to be
// released or to be no longer ours. What was read or written last is from; a
// stale one is read anew first. The release names successor; empty for nobody.
//
// Everything that this elector has sent is disowned before the release leaves: a
// release that is given up may land at any later time, and whoever had taken up
// his former term by then would lead a lease that is free for all.
func (e *election) giveUp(ctx context.Context, from rl.Snapshot, stale bool, successor string, bound time.Duration) error {
	ctx, cancel := e.clock.within(bounded.Unawaited(context.WithoutCancel(ctx)), bound)
	defer cancel()
	a := &attempt{
		lock: e.lock, clock: e.clock, timing: e.timing, random: e.random, stats: new(attemptStats),
		goal: &releaseGoal{writes: e.writes, former: e.writes.disown(), successor: successor}, state: from, readFirst: stale,
		patience: max(bound, e.timing.retry/4) / 4, bound: bound,
		timer: e.clock.idleTimer(), answers: make(chan answer),
	}
	o := a.run(ctx)
	bounded.Raise(ctx, o.err)
	switch {
	case o.done:
		e.reports.reportReleased()
		return nil
	case o.lost != nil:
		return fmt.Errorf("not released: %w", errSecondProcess)
	case o.err != nil:
		return explain(ctx, o.err)
	}
	return context.Cause(ctx)
}

var errSecondProcess = errors.New("the lease is held by another process of the same identity")

// stillWorking is why a lease was not released.
type stillWorking struct{ bound time.Duration }

func (s stillWorking) Error() string {
	return "not released: OnStartedLeading did not return within " + s.bound.String() + " of the end of its context; the lease runs out"
}
