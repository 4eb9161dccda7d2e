package leaderelection

import (
	"cmp"
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// candidacy is a contender's time as a candidate. It waits for nothing but its
// own timer and what is told to it: calls to the lock are made in the
// background, at most one read and one claim at a time.
type candidacy struct {
	*leaseWatcher
	election *election
	config   candidateConfig
	logger   klog.Logger
	// writes are the election's: what was sent and may yet turn out to have succeeded.
	writes *sentWrites
	// draw is of the spread of the next claim, and contested says that a claim of this
	// candidacy was lost to another's, so that there are several.
	draw      float64
	contested bool
	// yieldFor is until when others go first, after a resignation.
	yieldFor   time.Duration
	joined     instant
	warned     bool
	failureLog failureLog
	// late is how late its own timer fires.
	late lateness

	// readings receives the outcome of the read under way; reading says whether
	// one is. watched receives that of the watches.
	reading           bool
	readings, watched chan error
	// justRead says that nothing has been waited for since the last read. A claim
	// through a lock that remembers by itself what an Update is based on comes right
	// after one: whoever else reads with that lock, such as a health check of the
	// user's, has it base the claim on a state that this candidate has not seen.
	justRead bool

	// last is the last claim, until it is known what has become of it; nil if that
	// is known of all.
	last *sentClaim
	// how is what the last claim followed on, and witness who had the proof for it.
	how     Succession
	witness string

	// left is closed when the testimony of this process was left; nil where nobody
	// waits for that.
	left <-chan struct{}
	// inquiry is about whoever holds the lease; nil where nothing is asked.
	inquiry *inquiry
	// preference is how much this contender is preferred, and wishes what it asks of the
	// leader for that.
	preference preference
	wishes     wishes
}

// acquisition is what a candidate begins its term with.
type acquisition struct {
	state rl.Snapshot
	sent  instant
	how   Succession
	// witness has proven the death of the last holder; empty where none has.
	witness string
}

// step is what a candidate does next.
type step int

const (
	wait step = iota
	read
	check
	consult
	write
)

// newCandidacy returns a candidate of an election. Others go first for as long as
// yieldFor.
func newCandidacy(logger klog.Logger, e *election, config candidateConfig, yieldFor time.Duration) *candidacy {
	return &candidacy{
		election: e, config: config, logger: logger, writes: e.writes,
		yieldFor: yieldFor, joined: e.clock.now(), draw: e.random(),
		readings: make(chan error, 1), watched: make(chan error, 1),
		leaseWatcher: e.newLeaseWatcher(e.allowance, func(state rl.Snapshot) { e.reports.report(logger, state) }),
	}
}

// campaign contends until the lease is won, or returns nil when ctx ends. It is called
// once.
func (c *candidacy) campaign(ctx context.Context) *acquisition {
	watchCtx, stop := context.WithCancel(ctx)
	defer stop()
	defer c.close()
	c.left = c.config.witnesses.leave(ctx, c.timing.lease, c.writes.setTestimony)

	for following := false; ctx.Err() == nil; {
		seen, now := c.observed(), c.clock.now()
		if seen.known && !following {
			following = true
			go func() { c.watched <- c.follow(watchCtx) }()
		}
		if w := c.recognise(seen, now); w != nil {
			c.leaveAnswer(ctx)
			return w
		}
		c.settleClaim(seen)
		c.forgetSuperseded(seen)
		c.inquire(watchCtx, seen)
		switch what, pause := c.next(seen, now); what {
		case write:
			c.claim(ctx, seen)
		case read:
			c.ask(watchCtx)
		case check:
			c.inquiry.check(c.timing.retry)
		case consult:
			c.consult(watchCtx, seen)
		case wait:
			if w := c.pause(ctx, min(pause, c.wish(watchCtx, seen, now))); w != nil {
				return w
			}
		}
	}
	stop()
	c.disclaim(ctx)
	return nil
}

// pause waits for d, or until something was learned: that a claim has won, which
// it returns, or anything else.
func (c *candidacy) pause(ctx context.Context, d time.Duration) *acquisition {
	c.justRead = false
	began, timer := c.clock.now(), c.clock.NewTimer(d)
	defer timer.Stop()
	var answers <-chan claimAnswer
	if c.underway() {
		answers = c.last.answers
	}
	asked := c.inquiry
	if asked == nil {
		asked = &inquiry{}
	}
	select {
	case <-ctx.Done():
	case <-c.updated:
	case <-timer.C():
		c.late.fired(c.clock.now().monoSince(began)-d, c.timing)
	case err := <-c.readings:
		c.looked(ctx, err)
	case err := <-c.watched:
		bounded.Raise(ctx, err)
	case <-c.left:
		c.left = nil
	case got := <-asked.proofs:
		c.heardOf(asked, got)
	case err := <-asked.checks:
		c.checkedOf(asked, err)
	case got := <-c.preference.answers:
		c.consulted(got)
	case got := <-c.wishes.answers:
		c.wished(got)
	case got := <-answers:
		bounded.Raise(ctx, got.err)
		return c.answered(got)
	}
	return nil
}

// next decides what to do, given what was seen; the pause is how long nothing
// is to be done.
func (c *candidacy) next(seen observation, now instant) (step, time.Duration) {
	claimIn, due := never, c.readDue(now)+c.late.patience(c.timing)
	switch {
	case !seen.known:
	case c.underway() && (c.last.turn.Waits() || c.last.turn.Missed()):
		due = c.timing.retry // a read would wait behind it
	case c.underway():
		if c.silentSince(c.last.sent) && !c.lock.takesTurns() { // else the read would only wait for the claim, and the first renewal for the read
			due = c.timing.retry + c.late.patience(c.timing) - c.last.unanswered(now) // it may have succeeded
		}
	case c.last != nil && !c.last.read:
		due = c.readPause(now) // nothing else before it is known what became of it
	default:
		claimIn = c.claimableIn(seen, now)
		if pause, failing := c.claimPause(now); claimIn <= 0 && failing {
			claimIn, due = pause, never // each claim that fails is looked into
		}
		claimIn = max(claimIn, c.allowance.due(now, c.timing))
		if claimIn <= 0 && (c.blind(now) || c.lock.takesTurns() && !c.justRead) {
			claimIn, due = never, c.readPause(now)
		}
		if claimIn <= 0 && c.left != nil {
			claimIn = c.timing.leavePatience() - now.monoSince(c.joined)
		}
	}
	switch {
	case claimIn <= 0 && c.unconsulted(seen):
		return consult, 0
	case claimIn <= 0 && c.unchecked(seen, now):
		if !c.inquiry.checking {
			return check, 0
		}
		claimIn, _ = c.heldUntil(seen, now)
		return wait, approach(claimIn)
	case claimIn <= 0 && c.reading && c.lock.takesTurns():
		return wait, never // a claim counts from now on, and would leave after the read
	case claimIn <= 0:
		return write, 0
	case c.reading:
		return wait, approach(claimIn)
	case due <= 0:
		return read, 0
	}
	return wait, min(approach(claimIn), due)
}

// approach returns for how long to wait at first for what is d away. The kernel lets a
// timer be late in proportion, by a thousandth of its time, and five times as much in a
// process of a lower priority (fs/select.c, select_estimate_accuracy): the last step is to
// be a short one.
func approach(d time.Duration) time.Duration {
	if d <= 10*time.Millisecond {
		return d
	}
	return d - d/50
}

// never is later than anything that is waited for.
const never = time.Duration(1 << 61)

// claimableIn returns how long it is until this candidate may write.
func (c *candidacy) claimableIn(seen observation, now instant) time.Duration {
	sent, ours := c.writes.sentAt(seen.snapshot)
	if c.config.coordinated {
		if ours && now.fastestSince(sent) >= c.timing.lease {
			return never
		}
		return c.appointedIn(seen, now)
	}
	if c.writes.stands(seen.snapshot, now, c.timing.lease) {
		return 0 // our own write, too late to lead on: nobody can have led since
	}
	lease, proof := c.heldUntil(seen, now)
	if c.isSuccessor(seen) {
		return lease
	}
	claimIn := min(lease+c.spread(), proof) + c.yields(seen)
	if c.yieldFor > 0 {
		claimIn = max(claimIn, c.yieldFor-now.monoSince(c.joined))
	}
	return claimIn
}

// appointedIn is opensIn where the API server chooses: now if it has named us
// and not yet someone else, and the time that it has given us is not over; else
// never.
func (c *candidacy) appointedIn(seen observation, now instant) time.Duration {
	record := seen.snapshot.Record
	if seen.snapshot.Stated.Describes(record) && !c.writes.wrote(seen.snapshot) {
		return never // a claim of another process of this name, not an appointment
	}
	since := now.monoSince(seen.seen)
	if record.HolderIdentity == c.lock.Identity() && record.PreferredHolder == "" && since < seen.claimableAfter() {
		return max(0, seen.still-since) // an appointment that a backup brings back may be of long ago
	}
	return never
}

// recognise returns the term that began with one of our own writes whose
// outcome was unknown when it was sent, if the record shows it and its time is
// not over.
func (c *candidacy) recognise(seen observation, now instant) *acquisition {
	if !seen.known {
		return nil
	}
	sent, ours := c.writes.sentAt(seen.snapshot)
	if holder := seen.snapshot.Record.HolderIdentity; !ours && holder != c.lock.Identity() {
		c.warned = false
		if holder != "" {
			c.yieldFor = 0 // someone went first
		}
		return nil
	}
	if c.last != nil && unchanged(c.last.on, seen.snapshot) {
		ours = false // it is what the last claim was based on, however alike
	}
	if ours && c.mayLead(seen.snapshot, sent, now) {
		c.writes.settle(seen.snapshot)
		return &acquisition{state: seen.snapshot, sent: sent, how: cmp.Or(c.how, SuccessionOwnClaim), witness: c.witness}
	}
	if !ours && !c.warned && !c.config.coordinated && !c.writes.wrote(seen.snapshot) {
		c.warned = true
		c.logger.Info("The Lease names this contender's identity, but another process or an earlier term wrote it. Waiting until it runs out, as for any other holder")
	}
	return nil
}

// mayLead reports whether a term may begin with the write of ours, sent at sent,
// that state shows.
func (c *candidacy) mayLead(state rl.Snapshot, sent, now instant) bool {
	preferred := c.config.coordinated && state.Record.PreferredHolder != ""
	stored := c.timing.storedAs(c.timing.heldFor(state))
	return now.fastestSince(sent) < stored.term() && !preferred
}

// ask reads the record in the background.
func (c *candidacy) ask(ctx context.Context) {
	c.reading = true
	if c.last != nil {
		c.last.asked = c.last.err != nil
	}
	go func() { c.readings <- c.read(ctx, c.election.callBound) }()
}

// looked takes in how a read ended.
func (c *candidacy) looked(ctx context.Context, err error) {
	bounded.Raise(ctx, err)
	c.reading = false
	c.justRead = err == nil
	l := c.last
	switch {
	case ctx.Err() != nil:
	case err != nil:
		c.readFailed(err)
		c.failureLog.sayUnreadable(c.logger, c.clock.now(), err)
	case l != nil && l.asked && !l.read:
		l.read = true
		if unchanged(c.observed().snapshot, l.on) {
			c.claimFailed(l.err) // nobody was faster: the API refuses
			c.logClaimFailure(l.err)
		}
	}
}
