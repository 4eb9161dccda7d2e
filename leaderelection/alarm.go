package leaderelection

import (
	"context"
	"sync"

	"k8s.io/utils/clock"
)

// alarm tells the work that its term is over, by the clock or by the end of Run's context.
// The loop of the leader does so too, and it is the one that ends the term; but it also
// logs, and a logger may block. The alarm waits for nothing and nobody.
type alarm struct {
	l *leadership

	mu    sync.Mutex
	timer clock.Timer
	off   bool
	// unhook ends the watch over Run's context.
	unhook func() bool
}

// setAlarm begins to watch over a term.
func (l *leadership) setAlarm(ctx context.Context) {
	a := &alarm{l: l}
	a.unhook = context.AfterFunc(ctx, func() {
		reason := ReasonCancelled
		if l.le.config.ReleaseOnCancel {
			reason = ReasonReleased
		}
		l.stopWork(l.because(&TermEndedError{Reason: reason}))
	})
	l.alarm = a
	a.ring()
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
	now := a.l.le.clock.now()
	if rest, lapsed := a.l.term.lapse(now); !lapsed {
		a.timer = a.l.le.clock.AfterFunc(rest, a.ring)
		return
	}
	a.l.stopWork(a.l.because(a.l.lapsed(now)))
	a.l.work.prevent()
}

// stop ends the watch.
func (a *alarm) stop() {
	a.unhook()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.off = true
	if a.timer != nil {
		a.timer.Stop()
	}
}

// lapsed says why a term is over that no renewal has prolonged.
func (l *leadership) lapsed(now instant) *TermEndedError {
	sent := l.term.lastSent()
	if suspended := now.fastest(sent) - now.steady(sent); suspended > l.le.timing.retry {
		return &TermEndedError{Reason: ReasonInDoubt}
	}
	return &TermEndedError{Reason: ReasonRenewDeadline}
}
