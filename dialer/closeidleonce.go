package dialer

import (
	"sync"
	"time"
)

// idleClosing keeps many round trips that each want a new connection from
// closing the idle ones over and over. What is idle a moment after they were
// closed has carried an answer since, or has just been opened: it is as good as
// new, and with many leases on one transport it is what the others use. The
// zero value is ready for use; it is safe for concurrent use.
type idleClosing struct {
	mu   sync.Mutex
	last time.Time
}

// due reports whether the last time was at least a moment ago, and if so makes
// now the last.
func (c *idleClosing) due(moment time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.last.IsZero() && now.Sub(c.last) < moment {
		return false
	}
	c.last = now
	return true
}

// closeIdleOnce closes the idle connections, unless that was done less than half a
// hedge ago: so two attempts of one round trip, which are a hedge apart, never
// count on the same closing. net/http ends handshakes with them that nobody waits for
// any more. Where many are under way, or this process or the peer is slow for everyone,
// that would be to throw away what others are made of, and is done once in Answer; and where
// it is slow and others are answered, not at all.
func (t *Transport) closeIdleOnce(budget Budget) {
	moment := budget.pace() / 2
	short := t.slow(budget)
	if short && t.order.since(time.Now()) < budget.Connect {
		return
	}
	if short || t.making.crowded() {
		moment = budget.Answer
	}
	if t.fresh.due(moment) {
		promptly(t.CloseIdleConnections)
	}
}

// slow reports whether this process is short of CPU, or answers take longer than a hedge
// would wait: then each further connection is work for who has too much of it.
func (t *Transport) slow(budget Budget) bool {
	return process.short(budget.pace()) || t.learned.expects() > budget.pace()
}
