package leaderelection

import (
	"cmp"
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/dialer"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// candidacy is a contender's time as a candidate.
type candidacy struct {
	*lookout
	le     *LeaderElector
	logger klog.Logger
	// writes are what was sent and may yet turn out to have succeeded.
	writes *ledger
	// spread is by how much the next claim is delayed.
	spread time.Duration
	// aside is until when others go first, after a resignation.
	aside      time.Duration
	joined     instant
	warned     bool
	complaints complaints
	// refused counts the claims in a row that failed though nobody was faster.
	refused int
	// how is what the last claim followed on, unanswered that it may have
	// succeeded for all that is known.
	how        Succession
	unanswered bool
}

// won is what a candidate begins its term with.
type won struct {
	state rl.Snapshot
	sent  instant
	how   Succession
}

// step is what a candidate does next.
type step int

const (
	wait step = iota
	read
	write
)

// campaign contends until the lease is won, or returns nil when ctx ends.
// Others go first for as long as aside.
func (le *LeaderElector) campaign(ctx context.Context, aside time.Duration) *won {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c := &candidacy{
		le: le, logger: klog.FromContext(ctx), writes: le.writes,
		aside: aside, joined: le.clock.now(), spread: le.timing.spread(le.random()),
	}
	c.lookout = le.newLookout(func(state rl.Snapshot) { le.report(c.logger, state) })
	c.observation.snapshot.Record.HolderIdentity = le.GetLeader()

	for following := false; ctx.Err() == nil; {
		seen := c.observed()
		now := c.clock.now()
		if seen.known && !following {
			following = true
			go c.follow(ctx)
		}
		if seen.known {
			if w := c.recognise(seen, now); w != nil {
				return w
			}
		}
		switch what, pause := c.next(seen, now); what {
		case write:
			if w := c.claim(ctx, seen); w != nil {
				return w
			}
		case read:
			c.ask(ctx, seen, now)
		case wait:
			c.pause(ctx, pause)
		}
	}
	c.disclaim(ctx)
	return nil
}

// disclaim releases a lease that was won by a claim whose answer did not come
// before ctx ended. Without it nobody would lead for a whole lease. It takes no
// longer than the retry period, and leaves a lease alone that is not ours.
func (c *candidacy) disclaim(ctx context.Context) {
	if !c.unanswered || !c.le.config.ReleaseOnCancel {
		return
	}
	ctx, cancel := c.clock.within(context.WithoutCancel(ctx), c.timing.retry)
	defer cancel()
	state, err := c.lock.Read(dialer.FreshConnection(ctx))
	if err == nil {
		if _, ours := c.writes.find(state); !ours {
			return
		}
		_, err = c.lock.Write(ctx, state, c.le.writes.release(state.Record, c.clock.now()))
	}
	if err != nil {
		c.logger.Error(explain(ctx, err), "Could not release the lease; it runs out")
		return
	}
	c.logger.Info("Released the lease")
}

// next decides what to do, given what was seen; the pause is how long nothing
// is to be done.
func (c *candidacy) next(seen observation, now instant) (step, time.Duration) {
	if !seen.known {
		if due := c.readDue(now); due > 0 {
			return wait, due
		}
		return read, 0
	}
	opens := c.opensIn(seen, now)
	if opens <= 0 {
		if pausing := c.pausing(now); pausing > 0 {
			return wait, pausing
		}
		return write, 0
	}
	due := c.readDue(now)
	if due <= 0 {
		return read, 0
	}
	return wait, min(opens, due)
}

// never is later than anything that is waited for.
const never = time.Duration(1<<63 - 1)

// opensIn returns how long it is until this candidate may write.
func (c *candidacy) opensIn(seen observation, now instant) time.Duration {
	if c.le.config.Coordinated {
		return c.appointedIn(seen, now)
	}
	if _, ours := c.writes.find(seen.snapshot); ours {
		return 0 // our own write, too late to lead on: nobody can have led since
	}
	opens := seen.opens(c.timing) + c.spread - now.steady(seen.seen)
	if c.aside > 0 {
		opens = max(opens, c.aside-now.steady(c.joined))
	}
	return opens
}

// recognise returns the term that began with one of our own writes whose
// outcome was unknown when it was sent, if the record shows it and its time is
// not over.
func (c *candidacy) recognise(seen observation, now instant) *won {
	if holder := seen.snapshot.Record.HolderIdentity; holder != c.lock.Identity() {
		c.warned = false
		if holder != "" {
			c.aside = 0 // someone went first
		}
		return nil
	}
	sent, ours := c.writes.find(seen.snapshot)
	if ours && now.fastest(sent) < c.timing.term() {
		c.writes.settle(seen.snapshot)
		return &won{state: seen.snapshot, sent: sent, how: cmp.Or(c.how, Resumption)}
	}
	if !ours && !c.warned && !c.le.config.Coordinated {
		c.warned = true
		c.logger.Info("The lease is held under this contender's identity, but by a write that it does not answer for: that of an earlier term or process, or of a second process of that name, which must not be. It is waited for like any other holder")
	}
	return nil
}

// claim tries to take the lease.
func (c *candidacy) claim(ctx context.Context, seen observation) *won {
	sent := c.clock.now()
	record := claim(c.lock.Identity(), seen.snapshot, c.timing.lease, sent.wall)
	if c.le.config.Coordinated {
		record = renewal(seen.snapshot.Record, c.timing.lease, sent.wall)
	}
	c.how = succession(seen.snapshot)
	entry := c.writes.enter(record, c.timing.lease, sent)
	c.spread = c.timing.spread(c.random())

	bounded, cancel := c.clock.within(ctx, c.le.callBound())
	defer cancel()
	c.unanswered = true
	state, err := c.lock.Write(bounded, seen.snapshot, entry)
	if err == nil {
		c.unanswered = false
		c.writes.confirm(state, entry.Mark, sent)
		c.see(state)
		if c.clock.now().fastest(sent) >= c.timing.term() {
			return nil // too late to lead on; being our own, it can be written again at once
		}
		return &won{state: state, sent: sent, how: c.how}
	}
	err = explain(bounded, err)
	c.logger.V(2).Info("A claim was not confirmed; reading the record", "err", err)
	// Whether it was refused or its answer was lost, the record knows.
	if err := c.read(ctx, c.le.callBound()); err != nil {
		c.fail(err)
		if ctx.Err() == nil {
			c.sayUnreadable(err)
		}
		return nil
	}
	_, c.unanswered = c.writes.find(c.observed().snapshot)
	if !sameRecord(c.observed().snapshot, seen.snapshot) {
		c.refused = 0
		return nil
	}
	c.refused++ // nobody was faster: the API refuses
	c.failAgain(err, c.refused)
	c.sayUntakeable(err)
	return nil
}

// ask reads the record, but not past the moment at which it may be taken over.
func (c *candidacy) ask(ctx context.Context, seen observation, now instant) {
	bound := c.le.callBound()
	opens := c.opensIn(seen, now)
	cut := seen.known && opens < bound
	if cut {
		bound = opens
	}
	err := c.read(ctx, bound)
	if err == nil || ctx.Err() != nil || (cut && c.opensIn(c.observed(), c.clock.now()) <= 0) {
		return
	}
	c.fail(err)
	c.sayUnreadable(err)
}

// pause waits for d, or until something was seen.
func (c *candidacy) pause(ctx context.Context, d time.Duration) {
	timer := c.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-c.news:
	case <-timer.C():
	}
}

// appointedIn is opensIn where the API server chooses: now if it has named us
// and not yet someone else, else never.
func (c *candidacy) appointedIn(seen observation, now instant) time.Duration {
	record := seen.snapshot.Record
	if record.HolderIdentity == c.lock.Identity() && record.PreferredHolder == "" && now.steady(seen.seen) < seen.opens(c.timing) {
		return 0
	}
	return never
}
