package dialer

import (
	"sync"
	"time"
)

// patience is how long an attempt may go unanswered before it is hedged, learned
// from the answers as TCP learns its retransmission timeout (RFC 6298, section
// 2): the mean time to an answer and four times its mean deviation, and never
// less than what was asked for. Where every answer is slow, a hedge is as slow
// as what it races against and only adds to the load; where only some
// connections are slow or dead, the hedges win, their quick answers are what is
// learned from, and hedging goes on. The zero value has learned nothing; it is
// safe for concurrent use.
type patience struct {
	mu              sync.Mutex
	mean, deviation time.Duration
}

// answered learns from an answer that came so long after its attempt had got a
// connection. A single late one may be chance, so it counts for no more than
// twice what was expected at most.
func (p *patience) answered(took, hedge time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	took = min(took, 2*max(hedge, p.expected()))
	if p.mean == 0 {
		p.mean, p.deviation = took, took/2
		return
	}
	off := took - p.mean
	p.deviation += (max(off, -off) - p.deviation) / 4
	p.mean += off / 8
}

// expects returns what is expected.
func (p *patience) expects() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.expected()
}

// expected is expects for who holds the lock.
func (p *patience) expected() time.Duration { return p.mean + 4*p.deviation }

// delay returns how long to wait before a hedge: hedge at least, and most at
// most, so that there is time left in which a hedge may be answered. late is how
// late this process is for what it has to do. Then an answer may have come that
// it has not come to read, and a further handshake would make it later.
func (p *patience) delay(hedge, most, late time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if late < hedge/10 {
		late = 0
	}
	return max(min(max(hedge+4*late, p.expected()), most), hedge)
}

// lateness is how late the timers of this process fire: not at all where it has
// the CPU it needs. It belongs to the process and not to one client, for it is
// the process that is short of CPU. The zero value is ready for use; it is safe
// for concurrent use.
type lateness struct {
	mu sync.Mutex
	by time.Duration
	at time.Time
}

// process is the lateness of this process.
var process lateness

// forgets is the time after which a lateness counts for half.
const forgets = time.Second

// fired notes that a timer that was due fires now.
func (l *lateness) fired(due, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if late := now.Sub(due); late > 0 && late >= l.recent(now) {
		l.by, l.at = late, now
	}
}

// now returns how late this process has been of late.
func (l *lateness) now(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recent(now)
}

// short reports whether this process is short of CPU: late by a tenth of what it waits
// for otherwise, or more.
func (l *lateness) short(pace time.Duration) bool { return l.now(time.Now()) >= pace/10 }

func (l *lateness) recent(now time.Time) time.Duration {
	age := now.Sub(l.at)
	if age < 0 || age >= 20*forgets { // or of another clock: that of a test
		return 0
	}
	return l.by >> (age / forgets)
}
