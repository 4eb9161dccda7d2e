package leaderelection

import (
	"context"

	"github.com/holdfast-go/holdfast/internal/bounded"
	"github.com/holdfast-go/holdfast/internal/status"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// disclaim releases a lease that was won by a claim whose answer did not come
// before ctx ended. Without it nobody would lead for a whole lease. It takes no
// longer than the retry period, and leaves a lease alone that is not ours.
func (c *candidacy) disclaim(ctx context.Context) {
	l := c.last
	if l != nil {
		defer l.cancel()
	}
	_, ours := c.writes.sentAt(c.observed().snapshot)
	if !c.config.releaseOnCancel || (l == nil && !ours) {
		return
	}
	bound, began := max(c.timing.retry-courtesy, c.timing.retry/2), c.clock.now()
	looking, cancel := c.clock.within(context.WithoutCancel(ctx), bound)
	defer cancel()
	state, ours, err := c.outcome(looking)
	if ours {
		err = c.election.giveUp(ctx, state, false, "", bound-c.clock.now().monoSince(began))
	}
	switch {
	case err != nil:
		c.logger.Error(err, "Could not release the lease; it runs out")
	case ours:
		c.logger.Info("Released the lease")
	}
}

// outcome finds out whether the lease was won, and by which state of it. A claim
// that is under way is given the time to arrive.
func (c *candidacy) outcome(ctx context.Context) (state rl.Snapshot, ours bool, err error) {
	late := c.underway()
	if late {
		patience := c.clock.NewTimer(c.timing.retry / 2)
		defer patience.Stop()
		select {
		case got := <-c.last.answers:
			if got.err == nil {
				c.writes.confirm(got.state, c.last.entry.Mark)
				return got.state, true, nil
			}
			bounded.Raise(ctx, got.err)
			late = !status.Refused(got.err)
		case <-patience.C():
		}
		c.last.cancel()
	}
	for n := 1; ; n++ {
		state, err = c.lock.Read(rl.OnNewConnection(ctx))
		bounded.Raise(ctx, err)
		if err == nil {
			if _, ours = c.writes.sentAt(state); ours {
				return state, true, nil
			}
			if !late || !unchanged(state, c.last.on) {
				return state, false, nil
			}
		}
		c.clock.sleep(ctx, c.timing.backoff(min(n, 2), c.random(), 0))
		if ctx.Err() != nil {
			return state, false, err
		}
	}
}
