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
	switch t.WithDelayedExecution.(type) {
	case clock.RealClock, *clock.RealClock:
		return t.WithDelayedExecution.NewTimer(d)
	}
	return drainedTimer{t.WithDelayedExecution.NewTimer(d)}
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
