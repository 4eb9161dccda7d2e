package leaderelection

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/dialer"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// attempt is the effort to renew once. It writes; a write that is refused, or
// not answered within a retry period, is looked into by reading the record, and
// where that shows it has not arrived, it is sent again. An earlier call is not
// given up for a later one: the first answer that settles the matter counts,
// however slow the API is. That is safe because every write names the state it
// is based on, so that at most one of them succeeds.
type attempt struct {
	le     *LeaderElector
	logger klog.Logger
	// state is what the next write is based on.
	state rl.Snapshot
	// known is when the write was sent that the term counts from.
	known instant

	answers chan answer
	// effort is told of the calls and their answers.
	effort *effort
	// underway are the calls that wait for an answer, oldest first.
	underway []*underway
	failures int
	lastErr  error
	// refused is that the last write was answered, and not with a yes.
	refused bool
	// said is that the log speaks of this attempt.
	said bool
}

// outcome is what an attempt came to: renewed, lost, or given up with ctx.
type outcome struct {
	// state is what the next write is based on.
	state rl.Snapshot
	// renewed says that the write sent at sent is known to have succeeded, settled
	// that a read has shown it.
	renewed, settled bool
	sent             instant
	// lost says that the lease is another's.
	lost *TermEnded
	// err is the last failure.
	err error
}

// answer is what a call to the lock came back with.
type answer struct {
	state rl.Snapshot
	err   error
	// written is the record of a write, nil for a read.
	written *rl.LeaderElectionRecord
	sent    instant
	call    *underway
}

// underway is a call that waits for its answer.
type underway struct{ giveUp context.CancelFunc }

// mostUnderway bounds the calls that wait for an answer at the same time: the
// oldest makes way for one more, so that calls that nobody will answer never
// keep a new one from being tried.
const mostUnderway = 4

// run tries until a write is known to have succeeded, the lease is known to be
// lost, or ctx ends.
func (a *attempt) run(ctx context.Context) outcome {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a.answers = make(chan answer)
	retry := a.le.clock.NewTimer(a.le.timing.retry)
	defer retry.Stop()
	paused := false // the timer holds back the next write, rather than a look at a slow one
	a.write(ctx)
	for {
		select {
		case <-ctx.Done():
			return outcome{state: a.state, err: a.lastErr}
		case <-retry.C():
			if paused {
				paused = false
				a.write(ctx)
			} else {
				a.read(ctx)
			}
			retry.Reset(a.le.timing.retry)
		case got := <-a.answers:
			if !a.finished(got.call) {
				continue // it made way for another
			}
			if o := a.settle(got); o != nil {
				o.state, o.err = a.state, a.lastErr
				a.sayAfterAll(o)
				return *o
			}
			switch {
			case got.written != nil:
				a.refused = apierrors.ReasonForError(got.err) != metav1.StatusReasonUnknown
				a.le.metrics.slowpathExercised(a.le.config.Name)
				a.sayUnconfirmed(got.err)
				a.read(ctx)
			case got.err == nil && got.state.ResourceVersion != a.state.ResourceVersion:
				// Only labels or annotations were edited: write on the new state.
				a.state = got.state
				a.write(ctx)
			case got.err == nil && !a.refused:
				// The API answers, and the write was lost on its way.
				a.write(ctx)
			case !paused:
				paused = true
				a.failures++
				retry.Reset(a.le.timing.pause(a.failures, a.le.random(), retryAfter(a.lastErr)))
			}
		}
	}
}

func (a *attempt) write(ctx context.Context) {
	a.refused = false
	sent := a.le.clock.now()
	record := renewal(a.state.Record, a.le.timing.lease, sent.wall)
	base := a.state
	a.call(ctx, func(ctx context.Context) answer {
		state, err := a.le.lock.Write(ctx, base, record, a.le.timing.lease)
		return answer{state: state, err: explain(ctx, err), written: &record, sent: sent}
	}, func() { a.le.writes.enter(record, sent) })
}

func (a *attempt) read(ctx context.Context) {
	a.call(ctx, func(ctx context.Context) answer {
		state, err := a.le.lock.Read(dialer.FreshConnection(ctx))
		return answer{state: state, err: explain(ctx, err)}
	}, func() {})
}

// call makes a call in the background; before is done first.
func (a *attempt) call(ctx context.Context, do func(context.Context) answer, before func()) {
	if len(a.underway) >= mostUnderway {
		a.underway[0].giveUp()
		a.underway = a.underway[1:]
	}
	bounded, giveUp := a.le.clock.within(ctx, a.le.callBound())
	this := &underway{giveUp}
	a.underway = append(a.underway, this)
	before()
	a.effort.called()
	go func() {
		defer giveUp()
		got := do(bounded)
		got.call = this
		select {
		case a.answers <- got:
		case <-ctx.Done():
		}
	}()
}

// finished takes a call off the list, and reports whether it was on it.
func (a *attempt) finished(call *underway) bool {
	i := slices.Index(a.underway, call)
	if i < 0 {
		return false
	}
	a.underway = slices.Delete(a.underway, i, i+1)
	return true
}

// settle returns what an answer proves, nil if it proves nothing (rule 3 of the
// design).
func (a *attempt) settle(got answer) *outcome {
	a.effort.answered(got.err)
	if got.err != nil {
		a.lastErr = got.err
		return nil
	}
	if got.written != nil {
		a.state = got.state
		a.le.writes.confirm(got.state.Record, got.sent)
		return &outcome{renewed: true, sent: got.sent}
	}
	a.le.report(a.logger, got.state)
	if lost := a.lostTo(got.state); lost != nil {
		return &outcome{lost: lost}
	}
	sent, _ := a.le.writes.find(got.state.Record)
	if sent.steady(a.known) <= 0 {
		return nil // the record is the one known before: no write has arrived yet
	}
	a.state = got.state
	a.le.writes.settle(got.state.Record)
	return &outcome{renewed: true, settled: true, sent: sent}
}

func (o outcome) result() RenewalResult {
	switch {
	case o.lost != nil:
		return Lost
	case o.settled:
		return Settled
	case o.renewed:
		return Confirmed
	}
	return GivenUp
}

// lostTo returns whom a state shows the lease to be lost to, nil if it is ours.
func (a *attempt) lostTo(state rl.Snapshot) *TermEnded {
	holder := state.Record.HolderIdentity
	_, ours := a.le.writes.find(state.Record)
	switch {
	case !state.Exists():
		return &TermEnded{Reason: LeaseDeleted}
	case holder != a.le.lock.Identity():
		return &TermEnded{Reason: Taken, Holder: holder}
	case a.le.config.Coordinated && state.Record.PreferredHolder != "":
		return &TermEnded{Reason: EndOfTerm, Holder: state.Record.PreferredHolder}
	case !ours:
		return &TermEnded{Reason: SameIdentity, Holder: holder}
	}
	return nil
}
