package leaderelection

import (
	"time"

	"k8s.io/utils/clock"
)

// instant is one moment, read from every clock the machine has.
type instant struct {
	// mono is the injected clock's reading. With the real clock it measures
	// CLOCK_MONOTONIC, which stands still while the machine is suspended.
	mono time.Time
	// boot is the time since boot, suspension included; zero where the system
	// has no such clock.
	boot time.Duration
	// wall is mono without its monotonic part: what the record carries.
	wall time.Time
}

// monoSince returns the time from earlier to i by the clock that no one sets and
// that stands still in suspension: the slowest, which a candidate believes.
//
// The wall clock has no say here. It can be set back by any amount, and a
// candidate that believed it would not take over for as long.
func (i instant) monoSince(earlier instant) time.Duration { return i.mono.Sub(earlier.mono) }

// fastestSince returns the time from earlier to i by the clock that ran fastest,
// which a leader believes.
func (i instant) fastestSince(earlier instant) time.Duration {
	return max(i.mono.Sub(earlier.mono), i.boot-earlier.boot, i.wall.Sub(earlier.wall))
}

// leap is by how much clocks may differ without having leapt: readings are not
// taken at the same moment.
const leap = 5 * time.Millisecond

// leapt reports whether any clock has gone forward or back against the monotonic one
// between earlier and i.
func (i instant) leapt(earlier instant) bool {
	mono := i.monoSince(earlier)
	if (i.wall.Sub(earlier.wall) - mono).Abs() > leap {
		return true
	}
	return i.boot != 0 && (i.boot-earlier.boot-mono).Abs() > leap
}

// ahead reports whether some clock counts more from earlier to i than the
// monotonic one.
func (i instant) ahead(earlier instant) bool {
	return i.fastestSince(earlier)-i.monoSince(earlier) > leap
}

// timepiece is where all time comes from.
type timepiece struct {
	clock.WithDelayedExecution
}

// bootClock is a clock that also tells the time since boot.
type bootClock interface {
	// SinceBoot returns the time since boot, suspension included.
	SinceBoot() time.Duration
}

func (t timepiece) now() instant {
	mono := t.Now()
	return instant{mono: mono, boot: t.sinceBoot(), wall: mono.Round(0)}
}

// mayLeap reports whether the clocks can ever differ: whether there is one that
// counts suspension, or the wall clock is another than the monotonic one.
func (t timepiece) mayLeap() bool {
	switch t.WithDelayedExecution.(type) {
	case bootClock, clock.RealClock, *clock.RealClock:
		return true
	}
	now := t.now()
	return now.mono != now.wall // == tells a monotonic reading, Equal does not
}

// idleTimer returns a timer that was not set yet.
func (t timepiece) idleTimer() clock.Timer {
	timer := t.NewTimer(never)
	timer.Stop()
	return timer
}

func (t timepiece) sinceBoot() time.Duration {
	switch c := t.WithDelayedExecution.(type) {
	case bootClock:
		return c.SinceBoot()
	case clock.RealClock, *clock.RealClock:
		return systemSinceBoot()
	}
	return 0
}
