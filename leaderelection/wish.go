package leaderelection

import (
	"context"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// wishes are what a candidate asks of those who lead: to hand the lease over, where it is
// preferred. The zero value has seen no leader.
type wishes struct {
	// about is the term that is asked for, and from when it counts that it has lasted
	// for wait.
	about rl.LeaderElectionRecord
	from  instant
	wait  time.Duration
	// priority is the one that it was asked for with last; negative if it was not.
	priority int
	failures int
	// answers is where what has become of the wish under way comes; nil while there is
	// none.
	answers chan wished
}

// wished is what has become of a wish. Without an error, one that was not left was of no
// use.
type wished struct {
	// priority is that of this contender, as far as it was asked; left says that the
	// wish was left in the Lease.
	priority int
	left     bool
	err      error
}

// sameTerm reports whether two records are of one term.
func sameTerm(a, b rl.LeaderElectionRecord) bool {
	return a.HolderIdentity == b.HolderIdentity && a.LeaderTransitions == b.LeaderTransitions && sameMicro(a.AcquireTime, b.AcquireTime)
}

// wish asks the holder that was seen to hand the lease over, once its term has been seen
// for as long as HandoverAfter, and again where this contender is preferred more than
// before. It returns how long it is until there is something to ask for.
func (c *candidacy) wish(ctx context.Context, seen observation, now instant) time.Duration {
	record := seen.snapshot.Record
	switch {
	case c.config.wisher == nil, c.config.handoverAfter <= 0, c.config.coordinated:
		return never
	case record.HolderIdentity == "", record.HolderIdentity == c.lock.Identity():
		return never
	case !seen.snapshot.Hears():
		return never // until it says otherwise
	}
	w := &c.wishes
	if !sameTerm(w.about, record) {
		*w = wishes{about: record, from: now, wait: c.config.handoverAfter, priority: -1}
	}
	lease, _ := c.heldUntil(seen, now)
	switch rest := w.wait - now.monoSince(w.from); {
	case w.answers != nil, lease <= 0: // then it is to be claimed
		return never
	case rest > 0:
		return rest
	}
	answers, least, bound := make(chan wished, 1), w.priority, c.election.callBound
	w.answers = answers
	go func() {
		ctx, cancel := c.clock.within(ctx, bound)
		defer cancel()
		answers <- c.leaveWish(ctx, record, least)
	}()
	return never
}

// leaveWish asks for the priority of this contender and leaves a wish in the Lease if it
// is more than least and the term of a record lasts. A candidate that polls has not seen
// the last renewal, so the Lease is read before.
func (c *candidacy) leaveWish(ctx context.Context, about rl.LeaderElectionRecord, least int) wished {
	own := c.config.priority.forWish(ctx)
	if own.err != nil || own.priority <= max(0, least) {
		return wished{err: own.err}
	}
	priority := own.priority
	c.allowance.spend(c.clock.now(), c.timing)
	state, err := c.lock.Read(ctx)
	if err != nil || !sameTerm(state.Record, about) || !state.Hears() {
		return wished{err: err}
	}
	if other, asks := state.Wish(); asks && other.Priority >= priority {
		return wished{priority: priority} // what the leader makes of that goes for this one too
	}
	c.allowance.spend(c.clock.now(), c.timing)
	_, err = await(ctx, c.clock, &c.lock.calls, func(ctx context.Context) (rl.Snapshot, error) {
		return c.config.wisher.Wish(ctx, state, c.lock.Identity(), priority)
	})
	return wished{priority, err == nil, err}
}

// wished takes in what has become of a wish.
func (c *candidacy) wished(got wished) {
	w := &c.wishes
	w.answers, w.from, w.wait = nil, c.clock.now(), c.config.handoverAfter
	switch {
	case got.err != nil:
		w.failures++
		w.wait = c.timing.wishBackoff(w.failures, retryAfter(got.err), w.wait)
		c.logger.V(2).Info("Could not ask the leader to hand the lease over", "holder", w.about.HolderIdentity, "failures", w.failures, "err", got.err)
	default:
		w.failures, w.priority = 0, max(w.priority, got.priority)
	}
	if got.left {
		c.logger.Info("Asked the leader to hand the lease over", "holder", w.about.HolderIdentity, "priority", got.priority)
	}
}

// wishBackoff returns when to try again to leave a wish: after so many failures in a row,
// where the server asks to wait, and at the latest after most. Mostly the leader has just
// renewed. It does so again a retry period later, so the first pause is half of that: else
// the two would meet each time. Or all wishes may be refused.
func (t timing) wishBackoff(failures int, asked, most time.Duration) time.Duration {
	return min(most, max(asked, doubled(t.retry/2, failures-1)))
}
