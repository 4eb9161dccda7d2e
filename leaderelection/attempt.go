package leaderelection

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// attempt is what it takes to get one write through: a renewal or a release. It
// writes; a write that is refused, or not answered within a while, is looked
// into by reading the record, and where that shows it has not arrived, it is
// sent again. An earlier call is not given up for a later one: the first answer
// that settles the matter counts, however slow the API is. That is safe because
// every write names the state it is based on, so that at most one of them
// succeeds. What fails is tried again at a pace that slows down.
type attempt struct {
	lock   *boundedLock
	clock  timepiece
	timing timing
	random func() float64
	goal   goal
	// allowance says when a call that can wait may be made.
	allowance *allowance
	// state is what the next write is based on.
	state rl.Snapshot
	// patience is how long no answer may come before something else is tried, and
	// bound how long a read may take; a write may take as long as the attempt, unless
	// the calls take turns: then none may keep the others waiting for longer.
	patience, bound time.Duration
	// readFirst says that state may be out of date.
	readFirst bool

	// timer is set for what is done next if no answer comes before.
	timer clock.Timer
	next  action
	// due is when it is to fire, late how late it has fired.
	due  instant
	late lateness
	// answers is where the calls answer, over closed when nobody hears them any
	// more, and hurry written when connections may have died unnoticed.
	answers chan answer
	over    chan struct{}
	hurry   <-chan struct{}
	// underway are the calls that wait for an answer, oldest first.
	underway []*call
	stats    *attemptStats
	// hurried says that connections may have died.
	hurried bool
	// failures counts the calls that failed; looked is that a read was answered
	// and settled nothing; stale is that state is known to be gone.
	failures int
	looked   bool
	stale    bool
	lastErr  error
}

// goal is what an attempt is for.
type goal interface {
	// entry returns what to write on base.
	entry(base rl.Snapshot, now instant) rl.Entry
	// written takes in the answer to a write.
	written(state rl.Snapshot, mark string, sent instant) outcome
	// read takes in a state, and reports whether it settles the matter.
	read(state rl.Snapshot) (outcome, bool)
	// failed is told of each write that failed.
	failed(err error)
}

// outcome is what an attempt came to. The zero outcome is that of one that ctx
// has ended.
type outcome struct {
	// done says that the goal is known to be reached, by the write sent at sent;
	// settled that a read has shown it.
	done, settled bool
	sent          instant
	// lost says that the lease is another's, and seen that the state which shows it is to
	// be reported.
	lost *TermEndedError
	seen bool
	// took is how long an attempt to renew has taken.
	took time.Duration
	// state is what the next write is based on, err the last failure.
	state rl.Snapshot
	err   error
}

// action is what an attempt does.
type action int

const (
	look action = iota
	send
)

// mostUnderway bounds the calls that wait for an answer at the same time: the
// oldest makes way for one more, so that calls that nobody will answer never
// keep a new one from being tried.
const mostUnderway = 16

// slowPatience is the least time between two looks, in leases that are not so
// short that it would be too much, once the API has answered one.
const slowPatience = time.Second

// patience returns how long an attempt to renew waits for an answer before it
// tries something else: a retry period, or as long as lets every call wait for
// half of the term before it makes way. That is what a term can bear. Where the last
// answer took so long that this one may be as slow, it has twice the time of that,
// but no more than half of the term.
func (t timing) patience(took time.Duration) time.Duration {
	return max(t.retry, t.term()/2/(mostUnderway-1)+1, min(2*took, t.term()/2))
}

// begin readies what another attempt has used.
func (a *attempt) begin(state rl.Snapshot, hurried bool) {
	a.state, a.hurried = state, hurried
	a.late.fired(0, a.timing)
	a.failures, a.looked, a.stale, a.lastErr = 0, false, false, nil
}

// run tries until the goal is reached, the lease is known to be lost, or ctx
// ends. It waits for no call, so ctx is to be bounded.Unawaited. If the lock
// panics, it returns at once, with a *bounded.Panic.
func (a *attempt) run(ctx context.Context) (o outcome) {
	a.over, a.underway = make(chan struct{}), a.underway[:0]
	defer a.end()
	defer func() { o.state, o.err = a.state, a.lastErr }()
	select {
	case <-a.timer.C(): // the last attempt had no use for it any more
	default:
	}
	if a.readFirst {
		a.do(ctx, look)
	} else {
		a.do(ctx, send)
	}
	for {
		select {
		case <-ctx.Done():
			return outcome{}
		case <-a.hurry:
			a.hurried = true
			a.do(ctx, send)
		case <-a.timer.C():
			a.late.fired(a.clock.now().monoSince(a.due), a.timing)
			if left := a.queues(); left > 0 {
				a.set(left)
				continue
			}
			a.do(ctx, a.next)
		case got := <-a.answers:
			if !a.finished(got.call) {
				continue // it made way for another, or was the last attempt's
			}
			if o, settled := a.applyAnswer(ctx, got); settled {
				return o
			}
		}
	}
}

// applyAnswer takes in an answer, and reports whether it settles the matter. Where it
// does not, it sees to what is done next.
func (a *attempt) applyAnswer(ctx context.Context, got answer) (outcome, bool) {
	a.stats.addAnswer(got.err)
	switch {
	case got.err != nil:
		a.lastErr = got.err
		if errors.As(got.err, new(*bounded.Panic)) {
			return outcome{}, true
		}
		a.fail(ctx, got)
		return outcome{}, false
	case got.call.write:
		a.state = got.state
		return a.goal.written(got.state, got.call.entry.Mark, got.call.sent), true
	}
	o, settled := a.goal.read(got.state)
	a.state, a.stale = got.state, false
	if !settled {
		// The API answers, and no write has arrived: it was lost on its way, or was
		// based on what someone has edited since.
		a.looked = true
		a.soon(ctx, send, 0)
	}
	return o, settled
}

// fail sees to what is done after a call that failed. The first write that fails
// is looked into at once: its answer may be all that was lost. From then on
// there is a pause.
func (a *attempt) fail(ctx context.Context, got answer) {
	a.failures++
	next := send
	if got.call.write {
		a.goal.failed(got.err)
		if a.failures == 1 || !refusedOutright(got.err) {
			next = look
		}
		if apierrors.IsConflict(got.err) && got.call.base.ResourceVersion == a.state.ResourceVersion {
			a.stale = true
		}
	}
	asked := retryAfter(got.err)
	if got.call.write && a.failures == 1 && asked == 0 {
		a.do(ctx, next) // without regard to the allowance: another may lead
		return
	}
	a.soon(ctx, next, a.timing.backoff(max(1, a.failures-1), a.random(), asked))
}

// soon makes a call after a pause, which is longer where so many were made that
// the next has to wait.
func (a *attempt) soon(ctx context.Context, what action, pause time.Duration) {
	if pause = max(pause, a.allowance.due(a.clock.now(), a.timing)); pause <= 0 {
		a.do(ctx, what)
		return
	}
	a.next = what
	a.set(pause)
}

// refusedOutright reports whether an error says that the API server would not do
// what was asked, whatever state it was based on: a write that has arrived
// before would be told so by a conflict.
func refusedOutright(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	switch code := status.Status().Code; code {
	case http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusPreconditionFailed:
		return false
	default:
		return code >= http.StatusBadRequest
	}
}

// do makes a call in the background, and sets the timer for a look at what has
// become of it. Where looks are answered and show nothing, the API is slow with
// writes, and looking more often would only make it slower.
func (a *attempt) do(ctx context.Context, what action) {
	if a.stale {
		what = look // a write on a state that is gone is refused
	}
	c := &call{answers: a.answers, over: a.over, begun: a.clock.now()}
	if what == send {
		c.write, c.base, c.sent = true, a.state, c.begun
		c.entry = a.goal.entry(c.base, c.sent)
		c.fresh = a.hurried || len(a.underway) > 0
	}
	if len(a.underway) >= mostUnderway {
		a.giveUp(a.underway[0])
		a.underway = slices.Delete(a.underway, 0, 1)
	}
	a.underway = append(a.underway, c)
	a.stats.addCall()
	a.allowance.spend(a.clock.now(), a.timing)
	if c.write && !a.lock.takesTurns() {
		ctx = c.open(ctx)
	} else {
		ctx = c.begin(a.clock, ctx, a.bound)
	}
	go c.run(ctx, a.lock)
	a.next = look
	a.set(a.wait())
}

// wait returns how long an answer is waited for.
func (a *attempt) wait() time.Duration {
	wait := a.patience
	if a.looked {
		wait = max(wait, min(a.timing.term()/4, slowPatience))
	}
	return max(wait, min(wait+a.late.patience(a.timing), a.timing.term()/2))
}

// queues returns how much longer an answer is waited for, since one more call would wait
// behind this one. A call may not have been sent before those for other leases were: then
// it is for as long as for any other once it is. Where the lock makes one call after
// another it is for as long as the call may take: one more, sent as its answer comes,
// would only make the next renewal wait.
func (a *attempt) queues() (left time.Duration) {
	now := a.clock.now()
	for _, c := range a.underway {
		switch delay := c.turn.Delay(); {
		case a.lock.takesTurns():
			left = max(left, a.bound+courtesy-now.monoSince(c.begun))
		case c.turn.Waits():
			left = max(left, a.wait())
		case delay > 0:
			left = max(left, delay+a.wait()-now.monoSince(c.begun))
		}
	}
	return left
}

// set sets the timer.
func (a *attempt) set(wait time.Duration) {
	a.due = a.clock.now()
	a.due.mono = a.due.mono.Add(wait)
	a.timer.Reset(wait)
}

// end gives up every call that waits for an answer.
func (a *attempt) end() {
	a.timer.Stop()
	close(a.over)
	for _, c := range a.underway {
		a.giveUp(c)
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
