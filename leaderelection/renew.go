package leaderelection

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

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

	// retry is set for the next thing to be tried while no answer comes. It and
	// answers are the term's, for one attempt after the other.
	retry   clock.Timer
	answers chan answer
	// over is closed when the attempt has ended: nobody hears who answers now.
	over chan struct{}
	// effort is told of the calls and their answers.
	effort *effort
	// underway are the calls that wait for an answer, oldest first; they stand in
	// room.
	underway []*call
	room     [mostUnderway]*call
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
	call  *call
}

// call is one call to the lock: a read, or the write of a record.
type call struct {
	limit
	lock    rl.Versioned
	answers chan<- answer
	over    <-chan struct{}

	write bool
	base  rl.Snapshot
	entry rl.Entry
	sent  instant
}

// mostUnderway bounds the calls that wait for an answer at the same time: the
// oldest makes way for one more, so that calls that nobody will answer never
// keep a new one from being tried.
const mostUnderway = 4

// run tries until a write is known to have succeeded, the lease is known to be
// lost, or ctx ends.
func (a *attempt) run(ctx context.Context) outcome {
	a.over, a.underway = make(chan struct{}), a.room[:0]
	defer a.end()
	select {
	case <-a.retry.C(): // the last attempt had no use for it any more
	default:
	}
	a.retry.Reset(a.le.timing.retry)
	paused := false // the timer holds back the next write, rather than a look at a slow one
	a.write(ctx)
	for {
		select {
		case <-ctx.Done():
			return outcome{state: a.state, err: a.lastErr}
		case <-a.retry.C():
			if paused {
				paused = false
				a.write(ctx)
			} else {
				a.read(ctx)
			}
			a.retry.Reset(a.le.timing.retry)
		case got := <-a.answers:
			if !a.finished(got.call) {
				continue // it made way for another, or was the last attempt's
			}
			if o, settled := a.settle(got); settled {
				o.state, o.err = a.state, a.lastErr
				a.sayAfterAll(o)
				return o
			}
			switch {
			case got.call.write:
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
				a.retry.Reset(a.le.timing.pause(a.failures, a.le.random(), retryAfter(a.lastErr)))
			}
		}
	}
}

// end gives up every call that waits for an answer.
func (a *attempt) end() {
	a.retry.Stop()
	close(a.over)
	for _, c := range a.underway {
		c.end()
	}
}

func (a *attempt) write(ctx context.Context) {
	a.refused = false
	sent := a.le.clock.now()
	record := renewal(a.state.Record, a.le.timing.lease, sent.wall)
	entry := a.le.writes.enter(record, a.le.timing.lease, sent)
	a.call(ctx, &call{write: true, base: a.state, entry: entry, sent: sent})
}

func (a *attempt) read(ctx context.Context) { a.call(ctx, &call{}) }

// call makes a call in the background.
func (a *attempt) call(ctx context.Context, c *call) {
	if len(a.underway) >= mostUnderway {
		a.underway[0].end()
		a.underway = slices.Delete(a.underway, 0, 1)
	}
	a.underway = append(a.underway, c)
	a.effort.called()
	c.lock, c.answers, c.over = a.le.lock, a.answers, a.over
	go c.run(c.begin(a.le.clock, ctx, a.le.callBound()))
}

// run makes the call, and reports its answer to the attempt unless that is over.
func (c *call) run(ctx context.Context) {
	defer c.end()
	got := answer{call: c}
	if c.write {
		got.state, got.err = c.lock.Write(ctx, c.base, c.entry)
	} else {
		got.state, got.err = c.lock.Read(dialer.FreshConnection(ctx))
	}
	got.err = explain(ctx, got.err)
	select {
	case c.answers <- got:
	case <-c.over:
	}
}

// finished takes a call off the list, and reports whether it was on it.
func (a *attempt) finished(call *call) bool {
	i := slices.Index(a.underway, call)
	if i < 0 {
		return false
	}
	a.underway = slices.Delete(a.underway, i, i+1)
	return true
}

// settle returns what an answer proves, and false if it proves nothing (rule 3
// of the design).
func (a *attempt) settle(got answer) (outcome, bool) {
	a.effort.answered(got.err)
	if got.err != nil {
		a.lastErr = got.err
		return outcome{}, false
	}
	if got.call.write {
		a.state = got.state
		a.le.writes.confirm(got.state, got.call.entry.Mark, got.call.sent)
		return outcome{renewed: true, sent: got.call.sent}, true
	}
	a.le.report(a.logger, got.state)
	if lost := a.lostTo(got.state); lost != nil {
		return outcome{lost: lost}, true
	}
	sent, _ := a.le.writes.find(got.state)
	if sent.steady(a.known) <= 0 {
		return outcome{}, false // the record is the one known before: no write has arrived yet
	}
	a.state = got.state
	a.le.writes.settle(got.state)
	return outcome{renewed: true, settled: true, sent: sent}, true
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
	_, ours := a.le.writes.find(state)
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
