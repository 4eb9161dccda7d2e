package dialer

import (
	"slices"
	"time"
)

// elsewhere reports whether another server is to be asked, on a new connection,
// since this answer is a refusal: the server has too much to do, or a load
// balancer has no server. It takes the token of a hedge for it, so that servers
// which are all busy are soon left alone; then the refusal is the answer.
func (c *call) elsewhere(o outcome) bool {
	if !refused(o.response.StatusCode) || c.refusals >= atOnce || !c.repeatable || !c.another() || c.verdict != nil || !c.mayHedge() {
		return false
	}
	c.refusals++
	o.attempt.trace.drop() // else the next attempt may get it, and meet the same server
	if c.refusal != nil {
		c.refusal.discard()
	}
	kept := o // a copy, so that o itself, which is rarely kept, is not allocated
	c.refusal = &kept
	return true
}

// another reports whether the number of attempts allows another one.
func (c *call) another() bool { return len(c.attempts) < c.budget.attempts() }

// mayHedge reports whether the budget allows a hedge, and takes its token.
func (c *call) mayHedge() bool {
	return c.budget.Hedge > 0 && c.transport.tokens.spend()
}

// mayRetry reports whether there may be another attempt after one that failed,
// and takes the token for it if the one that failed was work for a server.
// A request that must not be sent twice may go out again if it has not gone out.
func (c *call) mayRetry() (paid, may bool) {
	switch {
	case !c.another() || !c.replayable:
		return false, false
	case c.latest.loadedServer():
		may = c.repeatable && c.transport.tokens.spend()
		return may, may
	}
	return false, c.repeatable || c.latest.unsent()
}

// queues reports whether an attempt waits for its turn to have a connection made.
// Another would only wait behind it.
func (c *call) queues() bool {
	return slices.ContainsFunc(c.attempts, func(a *attempt) bool { return a.trace.queued.Load() })
}

// approaches reports whether the turn of the newest attempt is about to come, see order. It
// is waited for no longer than for half of the call's bound.
func (c *call) approaches(now time.Time) bool {
	newest := c.attempts[len(c.attempts)-1]
	return now.Sub(newest.start) < c.bound/2 && c.transport.order.approaches(newest.place, now, c.pace()/2)
}

// overdue reports whether the newest attempt has been in its TLS handshake, or has
// waited for the rest of an answer that had begun, for longer than Connect, twice as
// long each time it was so before. Then there is another attempt whatever the hedging
// budget says, for the peer may be dead; and it is not taken for dead, for it may have
// too much to do.
func (c *call) overdue(now time.Time) bool {
	newest := c.attempts[len(c.attempts)-1]
	return (newest.inHandshake() || newest.status.Load() != 0) && now.Sub(newest.start) >= max(c.budget.Connect, c.pace())<<min(c.missed, attemptsCap)
}
