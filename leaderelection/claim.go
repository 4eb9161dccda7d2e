package leaderelection

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/turn"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// sentClaim is a claim that was sent.
type sentClaim struct {
	on      rl.Snapshot
	entry   rl.Entry
	sent    instant
	updates int // how much the watcher had learned when it was sent
	cancel  context.CancelFunc
	turn    turn.Turn
	answers chan claimAnswer
	// err is what it was answered with; nil while it is under way. Whether it was
	// refused or its answer was lost, the record knows: it was asked for since, and
	// read.
	err         error
	asked, read bool
}

// unanswered returns how long the claim has waited for its answer, without its wait for
// its turn before it was sent.
func (l *sentClaim) unanswered(now instant) time.Duration {
	return now.monoSince(l.sent) - l.turn.Delay()
}

type claimAnswer struct {
	state rl.Snapshot
	err   error
}

// claim sends a claim.
func (c *candidacy) claim(ctx context.Context, seen observation) {
	sent := c.clock.now()
	record := claim(c.lock.Identity(), seen.snapshot, c.timing.lease, sent.wall, c.random())
	if c.config.coordinated {
		record = renewal(seen.snapshot.Record, seen.snapshot.Record, c.timing.lease, sent.wall)
	}
	c.how, c.witness = succession(seen.snapshot), ""
	if c.byProof(seen, sent) {
		c.how, c.witness = SuccessionProof, c.inquiry.proof.Witness
		c.logger.Info("The process that holds the lease is dead; claiming it", "holder", seen.snapshot.Record.HolderIdentity, "witness", c.witness, "evidence", c.inquiry.proof.Evidence)
	}
	c.draw = c.random()
	// It does not end with ctx: what is on its way may arrive, and then it is to be
	// known, and released.
	writing, cancel := c.clock.within(context.WithoutCancel(ctx), c.election.callBound)
	l := &sentClaim{
		on: seen.snapshot, entry: c.writes.add(record, c.timing.lease, sent), sent: sent, updates: c.updateCount(),
		cancel: cancel, turn: turn.Turn{Rank: turn.Claims}, answers: make(chan claimAnswer, 1),
	}
	c.last = l
	c.allowance.spend(sent, c.timing)
	go func() {
		defer cancel()
		state, err := c.lock.Write(turn.With(writing, &l.turn), l.on, l.entry)
		l.answers <- claimAnswer{state, err}
	}()
}

// leaveAnswer gives the last claim, which is known to have succeeded, a tenth of
// the retry period to be answered: cancelled at once it would take its
// connection with it.
func (c *candidacy) leaveAnswer(ctx context.Context) {
	if c.underway() {
		l := c.last
		stop := context.AfterFunc(ctx, l.cancel)
		c.clock.AfterFunc(c.timing.retry/10, func() { stop(); l.cancel() })
	}
}

// underway reports whether a claim waits for its answer.
func (c *candidacy) underway() bool { return c.last != nil && c.last.err == nil }

// answered takes in the answer to a claim, and returns the term that it has won.
func (c *candidacy) answered(got claimAnswer) *acquisition {
	l := c.last
	if got.err != nil {
		if l.turn.Missed() { // nothing is to be found out
			c.last = nil
			c.claimFailed(got.err)
			return nil
		}
		l.err = got.err
		c.logger.V(2).Info("A claim was not confirmed; reading the record", "err", got.err)
		return nil
	}
	c.last = nil
	c.writes.confirm(got.state, l.entry.Mark)
	c.applyAnswer(got.state, l.updates)
	if now := c.clock.now(); !c.mayLead(got.state, l.sent, now) {
		// Too late to lead on. Being our own, it can be written again.
		c.claimFailed(nil)
		return nil
	}
	return &acquisition{state: got.state, sent: l.sent, how: c.how, witness: c.witness}
}

// settleClaim finds out whether the last claim can still have succeeded. What it was
// based on is gone when the record is at another version.
func (c *candidacy) settleClaim(seen observation) {
	l := c.last
	if l == nil || unchanged(seen.snapshot, l.on) {
		return
	}
	if _, ours := c.writes.sentAt(seen.snapshot); ours {
		return
	}
	c.last = nil
	if l.turn.Waits() {
		l.cancel() // it would be refused, and has not been sent
	}
	if oneWrite(l.on, seen.snapshot) {
		c.claimFailed(l.err) // only labels, say, were edited, and nobody was faster
		return
	}
	c.contested = true
}

// spread returns by how much the next claim is delayed.
func (c *candidacy) spread() time.Duration { return c.timing.spread(c.contested, c.draw) }

// forgetSuperseded sees to it that nothing which this elector has sent counts any more
// once another's write is seen that it has not claimed the lease on, nor what it has sent
// before a write of its own that is seen.
func (c *candidacy) forgetSuperseded(seen observation) {
	if !seen.known || c.last != nil && unchanged(c.last.on, seen.snapshot) {
		return
	}
	if verdict, _ := c.writes.judge(seen.snapshot); verdict == others || verdict == imposters {
		c.writes.supersede()
	}
	c.writes.saw(seen.snapshot)
}
