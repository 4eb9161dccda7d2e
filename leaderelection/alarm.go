package leaderelection

import (
	"context"
	"sync"

	"k8s.io/utils/clock"
)

// notice is what the work was told of the end of its term, by whoever was the first: the
// loop of the leader, or its alarm.
type notice struct {
	mu    sync.Mutex
	ended *TermEndedError // nil: it was not told yet
	// returned says that OnStartedLeading had returned before: what it has started may run
	// on, and nobody knows for how long.
	returned bool
}

// endWork tells the work that its term is over, unless it was told so before, and returns
// what it was told. Nothing comes before that.
func (l *leadership) endWork(why *TermEndedError) (told *TermEndedError) {
	n := &l.notice
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended == nil {
		n.ended = l.because(why)
		n.returned = l.work != nil && l.work.returned()
		l.stopWork(n.ended)
	}
	return n.ended
}

// alarm tells the work that its term is over, by a clock or by the end of Run's context.
// The loop of the leader does so too, and it is the one that ends the term; but it also
// logs, and a logger may block. The alarm waits for nothing and nobody.
type alarm struct {
	l *leadership

	mu    sync.Mutex
	timer clock.Timer
	doubt clock.Timer // nil while nobody has found the term in doubt
	off   bool
	// rang is closed when the work was told that the term has lapsed.
	rang chan struct{}
	// unhook ends the watch over Run's context.
	unhook func() bool
}

// setAlarm begins to watch over a term.
func (l *leadership) setAlarm(ctx context.Context) {
	a := &alarm{l: l, rang: make(chan struct{})}
	a.unhook = context.AfterFunc(ctx, func() {
		reason := ReasonCancelled
		if l.config.releaseOnCancel {
			reason = ReasonReleased
		}
		l.endWork(&TermEndedError{Reason: reason})
	})
	l.alarm = a
	a.ring()
	l.term.setDoubtful(a.doubted)
	if l.term.inDoubt(l.election.clock.now()) {
		a.doubted()
	}
}

// ring stops the work if the term has lapsed, and comes again when it may have. Whoever
// makes the term end sooner calls it.
func (a *alarm) ring() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.off {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	now := a.l.election.clock.now()
	if rest, lapsed := a.l.term.lapse(now.monoSince); !lapsed {
		a.timer = a.l.election.clock.AfterFunc(rest, a.ring)
		return
	}
	a.lapse(a.l.lapsed(now))
}

// lapse stops the work, and tells the loop. The caller holds the lock.
func (a *alarm) lapse(why *TermEndedError) {
	a.off = true
	a.l.endWork(why)
	a.l.work.prevent()
	close(a.rang)
}

// doubted is called when the term is found in doubt. The loop decides that within
// decideDoubt of when it learns of it, by a renewal; where it learns of nothing the term is
// over after a few times that.
func (a *alarm) doubted() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.off || a.doubt != nil {
		return
	}
	a.doubt = a.l.election.clock.AfterFunc(4*decideDoubt, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.doubt = nil
		if a.off {
			return
		}
		if _, lapsed := a.l.term.lapse(a.l.election.clock.now().fastestSince); lapsed {
			a.lapse(&TermEndedError{Reason: ReasonInDoubt})
		}
	})
}

// stop ends the watch.
func (a *alarm) stop() {
	a.unhook()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.off = true
	for _, timer := range []clock.Timer{a.timer, a.doubt} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// lapsed says why a term is over that no renewal has prolonged.
func (l *leadership) lapsed(now instant) *TermEndedError {
	sent := l.term.lastSent()
	if suspended := now.fastestSince(sent) - now.monoSince(sent); suspended > l.election.timing.retry {
		return &TermEndedError{Reason: ReasonInDoubt}
	}
	return &TermEndedError{Reason: ReasonRenewDeadline}
}
