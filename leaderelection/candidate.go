package leaderelection

import (
	"cmp"
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// candidacy is a contender's time as a candidate. It waits for nothing but its
// own timer and what is told to it: calls to the lock are made in the
// background, at most one read and one claim at a time.
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

	// readings receives the outcome of the read under way; reading says whether
	// one is. watched receives that of the watches.
	reading           bool
	readings, watched chan error

	// last is the last claim, until it is known what has become of it; nil if that
	// is known of all.
	last *sentClaim
	// how is what the last claim followed on.
	how Succession
}

// sentClaim is a claim that was sent.
type sentClaim struct {
	on      rl.Snapshot
	entry   rl.Entry
	sent    instant
	learned int // what the lookout had learned when it was sent
	cancel  context.CancelFunc
	answers chan claimAnswer
	// err is what it was answered with; nil while it is under way. Whether it was
	// refused or its answer was lost, the record knows: it was asked for since, and
	// read.
	err         error
	asked, read bool
}

type claimAnswer struct {
	state rl.Snapshot
	err   error
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
	watchCtx, stop := context.WithCancel(ctx)
	defer stop()
	c := &candidacy{
		le: le, logger: klog.FromContext(ctx), writes: le.writes,
		aside: aside, joined: le.clock.now(), spread: le.timing.spread(le.random()),
		readings: make(chan error, 1), watched: make(chan error, 1),
	}
	c.lookout = le.newLookout(func(state rl.Snapshot) { le.report(c.logger, state) })
	c.observation = le.seenLast.memory(le.GetLeader())
	defer func() { le.seenLast = c.observed() }()
	defer c.close()

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
		c.settle(seen)
		c.supersede(seen)
		switch what, pause := c.next(seen, now); what {
		case write:
			c.claim(ctx, seen)
		case read:
			c.ask(watchCtx)
		case wait:
			if w := c.pause(ctx, pause); w != nil {
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
func (c *candidacy) pause(ctx context.Context, d time.Duration) *won {
	timer := c.clock.NewTimer(d)
	defer timer.Stop()
	var answers <-chan claimAnswer
	if c.underway() {
		answers = c.last.answers
	}
	select {
	case <-ctx.Done():
	case <-c.news:
	case <-timer.C():
	case err := <-c.readings:
		c.looked(ctx, err)
	case err := <-c.watched:
		bounded.Raise(ctx, err)
	case got := <-answers:
		bounded.Raise(ctx, got.err)
		return c.answered(got)
	}
	return nil
}

// next decides what to do, given what was seen; the pause is how long nothing
// is to be done.
func (c *candidacy) next(seen observation, now instant) (step, time.Duration) {
	opens, due := never, c.readDue(now)
	switch {
	case !seen.known:
	case c.underway():
		if c.unheard(c.last.sent) && !c.le.lock.takesTurns() { // else the read would only wait for the claim, and the first renewal for the read
			due = c.timing.retry - now.steady(c.last.sent) // it may have succeeded
		}
	case c.last != nil && !c.last.read:
		due = c.readPause(now) // nothing else before it is known what became of it
	default:
		opens = c.opensIn(seen, now)
		if pause, failing := c.claimPause(now); opens <= 0 && failing {
			opens, due = pause, never // each claim that fails is looked into
		}
		if opens <= 0 && c.blind(now) {
			opens, due = never, c.readPause(now)
		}
	}
	switch {
	case opens <= 0 && c.reading && c.le.lock.takesTurns():
		return wait, never // a claim counts from now on, and would leave after the read
	case opens <= 0:
		return write, 0
	case c.reading:
		return wait, opens
	case due <= 0:
		return read, 0
	}
	return wait, min(opens, due)
}

// never is later than anything that is waited for.
const never = time.Duration(1 << 61)

// opensIn returns how long it is until this candidate may write.
func (c *candidacy) opensIn(seen observation, now instant) time.Duration {
	sent, ours := c.writes.find(seen.snapshot)
	if c.le.config.Coordinated {
		if ours && now.fastest(sent) >= c.timing.lease {
			return never
		}
		return c.appointedIn(seen, now)
	}
	if c.writes.left(seen.snapshot) {
		return 0 // our own write, too late to lead on: nobody can have led since
	}
	opens := seen.opens() + c.spread - now.steady(seen.seen)
	if c.aside > 0 {
		opens = max(opens, c.aside-now.steady(c.joined))
	}
	return opens
}

// appointedIn is opensIn where the API server chooses: now if it has named us
// and not yet someone else, and the time that it has given us is not over; else
// never.
func (c *candidacy) appointedIn(seen observation, now instant) time.Duration {
	record := seen.snapshot.Record
	if seen.snapshot.Stated.Describes(record) && !c.writes.left(seen.snapshot) {
		return never // a claim of another process of this name, not an appointment
	}
	since := now.steady(seen.seen)
	if record.HolderIdentity == c.lock.Identity() && record.PreferredHolder == "" && since < seen.opens() {
		return max(0, seen.still-since) // an appointment that a backup brings back may be of long ago
	}
	return never
}

// recognise returns the term that began with one of our own writes whose
// outcome was unknown when it was sent, if the record shows it and its time is
// not over.
func (c *candidacy) recognise(seen observation, now instant) *won {
	if !seen.known {
		return nil
	}
	sent, ours := c.writes.find(seen.snapshot)
	if holder := seen.snapshot.Record.HolderIdentity; !ours && holder != c.lock.Identity() {
		c.warned = false
		if holder != "" {
			c.aside = 0 // someone went first
		}
		return nil
	}
	if c.last != nil && c.last.on.ResourceVersion == seen.snapshot.ResourceVersion {
		ours = false // it is what the last claim was based on, however alike
	}
	if ours && c.mayLead(seen.snapshot, sent, now) {
		c.writes.settle(seen.snapshot)
		return &won{state: seen.snapshot, sent: sent, how: cmp.Or(c.how, SuccessionOwnClaim)}
	}
	if !ours && !c.warned && !c.le.config.Coordinated && !c.writes.left(seen.snapshot) {
		c.warned = true
		c.logger.Info("The lease is held under this contender's identity, but by a write that it does not answer for: that of an earlier term or process, or of a second process of that name, which must not be. It is waited for like any other holder")
	}
	return nil
}

// mayLead reports whether a term may begin with the write of ours, sent at sent,
// that state shows.
func (c *candidacy) mayLead(state rl.Snapshot, sent, now instant) bool {
	preferred := c.le.config.Coordinated && state.Record.PreferredHolder != ""
	return now.fastest(sent) < c.timing.term() && !preferred
}

// claim sends a claim.
func (c *candidacy) claim(ctx context.Context, seen observation) {
	sent := c.clock.now()
	record := claim(c.lock.Identity(), seen.snapshot, c.timing.lease, sent.wall, c.random())
	if c.le.config.Coordinated {
		record = renewal(seen.snapshot.Record, seen.snapshot.Record, c.timing.lease, sent.wall)
	}
	c.how = succession(seen.snapshot)
	c.spread = c.timing.spread(c.random())
	// It does not end with ctx: what is on its way may arrive, and then it is to be
	// known, and released.
	writing, cancel := c.clock.within(context.WithoutCancel(ctx), c.le.callBound())
	l := &sentClaim{
		on: seen.snapshot, entry: c.writes.enter(record, c.timing.lease, sent), sent: sent, learned: c.lessons(),
		cancel: cancel, answers: make(chan claimAnswer, 1),
	}
	c.last = l
	go func() {
		defer cancel()
		state, err := c.lock.Write(writing, l.on, l.entry)
		l.answers <- claimAnswer{state, err}
	}()
}

// leaveAnswer gives the last claim, which is known to have succeeded, a tenth of
// the retry period to be answered: cancelled at once it would take its
// connection with it.
func (c *candidacy) leaveAnswer(ctx context.Context) {
	if c.underway() {
		c.clock.AfterFunc(c.timing.retry/10, c.last.cancel)
		context.AfterFunc(ctx, c.last.cancel)
	}
}

// underway reports whether a claim waits for its answer.
func (c *candidacy) underway() bool { return c.last != nil && c.last.err == nil }

// answered takes in the answer to a claim, and returns the term that it has won.
func (c *candidacy) answered(got claimAnswer) *won {
	l := c.last
	if got.err != nil {
		l.err = got.err
		c.logger.V(2).Info("A claim was not confirmed; reading the record", "err", got.err)
		return nil
	}
	c.last = nil
	c.writes.confirm(got.state, l.entry.Mark)
	c.find(got.state, l.learned)
	if now := c.clock.now(); !c.mayLead(got.state, l.sent, now) {
		// Too late to lead on. Being our own, it can be written again.
		c.failClaim(nil)
		return nil
	}
	return &won{state: got.state, sent: l.sent, how: c.how}
}

// settle finds out whether the last claim can still have succeeded. What it was
// based on is gone when the record is at another version.
func (c *candidacy) settle(seen observation) {
	l := c.last
	if l == nil || seen.snapshot.ResourceVersion == l.on.ResourceVersion {
		return
	}
	if _, ours := c.writes.find(seen.snapshot); ours {
		return
	}
	c.last = nil
	if oneWrite(l.on, seen.snapshot) {
		c.failClaim(l.err) // only labels, say, were edited, and nobody was faster
	}
}

// supersede sees to it that nothing which this elector has sent counts any more
// once another's write is seen that it has not claimed the lease on.
func (c *candidacy) supersede(seen observation) {
	if !seen.known || c.last != nil && c.last.on.ResourceVersion == seen.snapshot.ResourceVersion {
		return
	}
	if verdict, _ := c.writes.judge(seen.snapshot); verdict == others || verdict == imposters {
		c.writes.supersede()
	}
}

// ask reads the record in the background.
func (c *candidacy) ask(ctx context.Context) {
	c.reading = true
	if c.last != nil {
		c.last.asked = c.last.err != nil
	}
	go func() { c.readings <- c.read(ctx, c.le.callBound()) }()
}

// looked takes in how a read ended.
func (c *candidacy) looked(ctx context.Context, err error) {
	bounded.Raise(ctx, err)
	c.reading = false
	l := c.last
	switch {
	case ctx.Err() != nil:
	case err != nil:
		c.fail(err)
		c.sayUnreadable(err)
	case l != nil && l.asked && !l.read:
		l.read = true
		if c.observed().snapshot.ResourceVersion == l.on.ResourceVersion {
			c.failClaim(l.err) // nobody was faster: the API refuses
			c.sayUntakeable(l.err)
		}
	}
}

// disclaim releases a lease that was won by a claim whose answer did not come
// before ctx ended. Without it nobody would lead for a whole lease. It takes no
// longer than the retry period, and leaves a lease alone that is not ours.
func (c *candidacy) disclaim(ctx context.Context) {
	l := c.last
	if l != nil {
		defer l.cancel()
	}
	_, ours := c.writes.find(c.observed().snapshot)
	if !c.le.config.ReleaseOnCancel || (l == nil && !ours) {
		return
	}
	bound, began := max(c.timing.retry-courtesy, c.timing.retry/2), c.clock.now()
	looking, cancel := c.clock.within(context.WithoutCancel(ctx), bound)
	defer cancel()
	state, ours, err := c.outcome(looking)
	if ours {
		err = c.le.giveUp(ctx, state, false, bound-c.clock.now().steady(began))
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
			late = apierrors.ReasonForError(got.err) == "" // no answer, or none that says what became of it
		case <-patience.C():
		}
		c.last.cancel()
	}
	for n := 1; ; n++ {
		state, err = c.lock.Read(rl.OnNewConnection(ctx))
		bounded.Raise(ctx, err)
		if err == nil {
			if _, ours = c.writes.find(state); ours {
				return state, true, nil
			}
			if !late || state.ResourceVersion != c.last.on.ResourceVersion {
				return state, false, nil
			}
		}
		c.clock.sleep(ctx, c.timing.pause(min(n, 2), c.random(), 0))
		if ctx.Err() != nil {
			return state, false, err
		}
	}
}
