package simulation

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// million is the rate, in parts per million, of a clock that runs true.
const million = 1_000_000

// Clock is a host's clock: it shows any time of day and runs at a rate of its
// own, which never changes. Timers fire when this clock, not the true one, has
// advanced by what was asked. It can be paused and its time of day be set. It is
// safe for concurrent use.
//
// What Now returns has a monotonic reading, as that of the real clock has, which
// stands still in a suspension and which setting the time of day does not move.
type Clock struct {
	start time.Time // the true time at which the clock showed shows
	shows time.Time
	ppm   int64
	// salt, if not zero, makes timers late by up to a microsecond, as all timers
	// are, so that what a process does at one moment has an order, the same in
	// each run.
	salt uint64
	// grain is what readings are cut to; zero is a nanosecond.
	grain time.Duration
	// pausable: pauses may come. Else timers are the runtime's, which is faster.
	pausable bool

	mu sync.Mutex
	// last is the latest pause, slept how long all suspensions before it were, and
	// set by how much the time of day was.
	last  pause
	slept time.Duration
	set   time.Duration
}

// pause is a time, from and to since the clock began, in which the host does
// nothing.
type pause struct {
	from, to time.Duration
	// suspended: monotonic time does not pass.
	suspended bool
}

var _ clock.WithDelayedExecution = (*Clock)(nil)

// newClock returns a clock that shows the time shows now, and runs ppm/million
// times as fast as true time.
func newClock(shows time.Time, ppm int64) *Clock {
	return &Clock{start: time.Now(), shows: shows, ppm: ppm}
}

// local returns what the clock measures in a time that truly lasts d, cut to
// nanoseconds.
func (c *Clock) local(d time.Duration) time.Duration {
	return d/million*time.Duration(c.ppm) + d%million*time.Duration(c.ppm)/million
}

// truly returns the shortest true time in which the clock measures d, the
// inverse of local.
func (c *Clock) truly(d time.Duration) time.Duration {
	ppm := time.Duration(c.ppm)
	return d/ppm*million + (d%ppm*million+ppm-1)/ppm
}

// pause makes the host do nothing for d from now on, suspended or stopped.
func (c *Clock) pause(d time.Duration, suspended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.suspended {
		c.slept += c.last.to - c.last.from
	}
	now := time.Since(c.start)
	c.last = pause{now, now + d, suspended}
}

// adjust sets the time of day forward by d, or back.
func (c *Clock) adjust(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set += d
}

// awake returns how much of the true time from the clock's start to a moment the
// host was not suspended.
func (c *Clock) awake(elapsed time.Duration) time.Duration {
	if !c.pausable {
		return elapsed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	awake := elapsed - c.slept
	if c.last.suspended && elapsed > c.last.from {
		awake -= min(elapsed, c.last.to) - c.last.from
	}
	return awake
}

// steady is the monotonic time since the clock's start.
func (c *Clock) steady() time.Duration { return c.local(c.awake(time.Since(c.start))) }

// cut makes a reading as coarse as the clock.
func (c *Clock) cut(d time.Duration) time.Duration {
	if c.grain == 0 {
		return d
	}
	return d.Truncate(c.grain)
}

// Now returns what the clock shows.
func (c *Clock) Now() time.Time {
	elapsed := time.Since(c.start)
	steady := c.cut(c.local(c.awake(elapsed)))
	if !c.pausable {
		return c.shows.Add(steady)
	}
	c.mu.Lock()
	set := c.set
	c.mu.Unlock()
	return reading(c.shows.Add(c.cut(c.local(elapsed))+set), time.Hour+steady)
}

// SinceBoot returns the time since the host's start, suspensions counted.
func (c *Clock) SinceBoot() time.Duration {
	return time.Hour + c.cut(c.local(time.Since(c.start)))
}

// Since returns how far the clock has advanced since it showed t.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// fastest returns how far the clock has advanced since t, a reading of it, by
// whichever of its readings advanced most.
func (c *Clock) fastest(t time.Time) time.Duration {
	now := c.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

// trulyAt returns the true time, since the clock began, at which it shows t, by
// its monotonic reading, if it was never suspended.
func (c *Clock) trulyAt(t time.Time) time.Duration { return c.truly(t.Sub(c.shows)) }

// wait returns how long it truly takes until the clock has advanced by d.
func (c *Clock) wait(d time.Duration) time.Duration {
	if d <= 0 && !c.pausable {
		return 0
	}
	if d > math.MaxInt64/4 {
		return d / 2 // longer than any simulation
	}
	elapsed := time.Since(c.start)
	return c.until(c.local(c.awake(elapsed))+max(d, 0), elapsed) + c.late(elapsed, d)
}

// until returns how long after elapsed it truly is until the monotonic time is
// due and the host does something.
func (c *Clock) until(due, elapsed time.Duration) time.Duration {
	at := c.truly(due)
	if c.pausable {
		c.mu.Lock()
		defer c.mu.Unlock()
		at += c.slept
		if c.last.suspended && at > c.last.from {
			at += c.last.to - c.last.from
		}
		if at = max(at, elapsed); at >= c.last.from && at < c.last.to {
			at = c.last.to
		}
	}
	return max(0, at-elapsed)
}

// late returns by how much a timer for d, set now, is late.
func (c *Clock) late(now, d time.Duration) time.Duration {
	if c.salt == 0 || d <= 0 {
		return 0
	}
	mixed := rand.NewPCG(c.salt^uint64(now), uint64(d)).Uint64()
	return time.Duration(mixed % uint64(time.Microsecond))
}

// NewTimer implements clock.Clock.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	if c.pausable {
		return newPausable(c, d, nil)
	}
	return &timer{c, time.NewTimer(c.wait(d))}
}

// AfterFunc implements clock.WithDelayedExecution.
func (c *Clock) AfterFunc(d time.Duration, f func()) clock.Timer {
	if c.pausable {
		return newPausable(c, d, f)
	}
	return &timer{c, time.AfterFunc(c.wait(d), f)}
}

// After implements clock.Clock.
func (c *Clock) After(d time.Duration) <-chan time.Time { return c.NewTimer(d).C() }

// Sleep implements clock.Clock.
func (c *Clock) Sleep(d time.Duration) { <-c.After(d) }

// Tick implements clock.Clock. The elector, for which this clock is, has no use
// for it.
func (c *Clock) Tick(time.Duration) <-chan time.Time { panic("simulation: no tickers") }

// timer is a timer of a Clock that is never paused. What it sends is the true
// time, which nobody should look at.
type timer struct {
	clock *Clock
	timer *time.Timer
}

func (t *timer) C() <-chan time.Time        { return t.timer.C }
func (t *timer) Stop() bool                 { return t.timer.Stop() }
func (t *timer) Reset(d time.Duration) bool { return t.timer.Reset(t.clock.wait(d)) }

// pausable is a timer of a Clock that may be paused after the timer was set:
// when the true time has come it looks whether the clock's has.
type pausable struct {
	clock *Clock
	f     func() // nil: sends to c
	c     chan time.Time

	mu     sync.Mutex
	timer  *time.Timer
	due    time.Duration // by the clock's monotonic time
	active bool
	round  int
}

func newPausable(c *Clock, d time.Duration, f func()) *pausable {
	t := &pausable{clock: c, f: f, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

func (t *pausable) C() <-chan time.Time { return t.c }

func (t *pausable) Stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stop()
}

func (t *pausable) stop() bool {
	was := t.active
	t.active = false
	t.round++
	if t.timer != nil {
		t.timer.Stop()
	}
	select {
	case <-t.c:
	default:
	}
	return was
}

func (t *pausable) Reset(d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.stop()
	t.active = true
	t.due = t.clock.steady() + min(max(d, 0), math.MaxInt64/4)
	round := t.round
	t.timer = time.AfterFunc(t.clock.wait(d), func() { t.fire(round) })
	return was
}

func (t *pausable) fire(round int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.active || t.round != round {
		return
	}
	elapsed := time.Since(t.clock.start)
	if rest := t.clock.until(t.due, elapsed); rest > 0 {
		t.timer.Reset(rest + t.clock.late(elapsed, rest))
		return
	}
	t.active = false
	if t.f != nil {
		go t.f()
		return
	}
	t.c <- time.Now()
}
