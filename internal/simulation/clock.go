package simulation

import (
	"math"
	"math/rand/v2"
	"time"

	"k8s.io/utils/clock"
)

// million is the rate, in parts per million, of a clock that runs true.
const million = 1_000_000

// Clock is a host's clock: it shows any time of day and runs at a rate of its
// own, which never changes. Timers fire when this clock, not the true one, has
// advanced by what was asked. It is safe for concurrent use.
type Clock struct {
	start time.Time // the true time at which the clock showed shows
	shows time.Time
	ppm   int64
	// salt, if not zero, makes timers late by up to a microsecond, as all timers
	// are, so that what a process does at one moment has an order, the same in
	// each run.
	salt uint64
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

// Now returns what the clock shows.
func (c *Clock) Now() time.Time { return c.shows.Add(c.local(time.Since(c.start))) }

// Since returns how far the clock has advanced since it showed t.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// trulyAt returns the true time, since the clock began, at which it shows t.
func (c *Clock) trulyAt(t time.Time) time.Duration { return c.truly(t.Sub(c.shows)) }

// wait returns how long it truly takes until the clock has advanced by d.
func (c *Clock) wait(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	elapsed := time.Since(c.start)
	if d > math.MaxInt64/4 {
		return d / 2 // longer than any simulation
	}
	return c.truly(c.local(elapsed)+d) - elapsed + c.late(elapsed, d)
}

// late returns by how much a timer for d, set now, is late.
func (c *Clock) late(now, d time.Duration) time.Duration {
	if c.salt == 0 {
		return 0
	}
	mixed := rand.NewPCG(c.salt^uint64(now), uint64(d)).Uint64()
	return time.Duration(mixed % uint64(time.Microsecond))
}

// NewTimer implements clock.Clock.
func (c *Clock) NewTimer(d time.Duration) clock.Timer {
	return &timer{c, time.NewTimer(c.wait(d))}
}

// AfterFunc implements clock.WithDelayedExecution.
func (c *Clock) AfterFunc(d time.Duration, f func()) clock.Timer {
	return &timer{c, time.AfterFunc(c.wait(d), f)}
}

// After implements clock.Clock.
func (c *Clock) After(d time.Duration) <-chan time.Time { return time.After(c.wait(d)) }

// Sleep implements clock.Clock.
func (c *Clock) Sleep(d time.Duration) { time.Sleep(c.wait(d)) }

// Tick implements clock.Clock.
func (c *Clock) Tick(d time.Duration) <-chan time.Time { return time.Tick(c.wait(d)) }

// timer is a timer of a Clock. What it sends is the true time, which nobody
// should look at.
type timer struct {
	clock *Clock
	timer *time.Timer
}

func (t *timer) C() <-chan time.Time        { return t.timer.C }
func (t *timer) Stop() bool                 { return t.timer.Stop() }
func (t *timer) Reset(d time.Duration) bool { return t.timer.Reset(t.clock.wait(d)) }
