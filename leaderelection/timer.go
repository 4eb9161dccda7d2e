package leaderelection

import (
	"time"

	"k8s.io/utils/clock"
)

// NewTimer returns a timer that behaves as Go's do: once it was stopped or set
// anew, its channel tells of no earlier time. Those of
// k8s.io/utils/clock/testing keep it, and their clock, which waits for room in
// the channel, stands still for ever at the next.
func (t timepiece) NewTimer(d time.Duration) clock.Timer {
	if t.real() {
		return t.WithDelayedExecution.NewTimer(d)
	}
	return drainedTimer{t.WithDelayedExecution.NewTimer(d)}
}

// AfterFunc calls f in a goroutine of its own, as Go's does. Fake clocks call it while
// they are being stepped, and stand still for ever if it sets or stops a timer.
func (t timepiece) AfterFunc(d time.Duration, f func()) clock.Timer {
	if t.real() {
		return t.WithDelayedExecution.AfterFunc(d, f)
	}
	return t.WithDelayedExecution.AfterFunc(d, func() { go f() })
}

// real reports whether the clock is Go's own.
func (t timepiece) real() bool {
	switch t.WithDelayedExecution.(type) {
	case clock.RealClock, *clock.RealClock:
		return true
	}
	return false
}

type drainedTimer struct{ clock.Timer }

// Stop implements clock.Timer.
func (t drainedTimer) Stop() bool {
	active := t.Timer.Stop()
	select {
	case <-t.C():
	default:
	}
	return active
}

// Reset implements clock.Timer.
func (t drainedTimer) Reset(d time.Duration) bool {
	active := t.Stop()
	t.Timer.Reset(d)
	return active
}
