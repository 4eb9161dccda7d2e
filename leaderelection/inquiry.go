package leaderelection

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// inquiry is what a candidate asks the witnesses about one testimony: whether the
// process that left it is dead. It makes one call at a time, in the background.
type inquiry struct {
	testimony string
	group     *witness.Group
	clock     timepiece
	ctx       context.Context
	stop      context.CancelFunc

	// proofs and checks receive how the call under way ended.
	proofs chan proven
	checks chan error

	// proof is the one that was had, nil for none. It is about the record at was, and
	// came at came.
	proof *witness.Proof
	was   rl.Snapshot
	came  instant
	// checking is that the proof is being checked, checked that this has succeeded, at
	// checkedAt.
	checking, checked bool
	checkedAt         instant
	// failures counts the checks that failed.
	failures int
}

type proven struct {
	proof witness.Proof
	err   error
}

// freshCheck is for how long a check counts.
const freshCheck = 100 * time.Millisecond

func newInquiry(ctx context.Context, group *witness.Group, clock timepiece, testimony string) *inquiry {
	q := &inquiry{testimony: testimony, group: group, clock: clock, proofs: make(chan proven, 1), checks: make(chan error, 1)}
	q.ctx, q.stop = context.WithCancel(ctx)
	return q
}

// ask asks for a proof, after a pause.
func (q *inquiry) ask(pause time.Duration) {
	q.proof, q.checked = nil, false
	go func() {
		if pause > 0 {
			q.clock.sleep(q.ctx, pause)
		}
		proof, err := q.group.Await(q.ctx, q.testimony)
		q.proofs <- proven{proof, err}
	}()
}

// check has the proof checked, for at most bound.
func (q *inquiry) check(bound time.Duration) {
	proof := *q.proof
	q.checking, q.checked = true, false
	go func() {
		ctx, cancel := q.clock.within(q.ctx, bound)
		defer cancel()
		q.checks <- proof.Check(ctx, q.testimony)
	}()
}

// about reports whether the inquiry is about a state: its testimony is that of the
// holder, and nobody has written since the proof came, if there is one. Whoever has
// was not the dead.
func (q *inquiry) about(state rl.Snapshot) bool {
	return q.testimony == state.Testimony() &&
		(q.proof == nil || q.was.ResourceVersion == state.ResourceVersion && oneWrite(q.was, state))
}

// proves reports whether there is a proof about a state. It may be called without an
// inquiry.
func (q *inquiry) proves(state rl.Snapshot) bool {
	return q != nil && q.proof != nil && q.about(state)
}

// inquire asks about whoever holds the lease as it was seen, and ends what was asked
// about any other.
func (c *candidacy) inquire(ctx context.Context, seen observation) {
	if c.config.witnesses.group == nil || c.inquiry != nil && c.inquiry.about(seen.snapshot) {
		return
	}
	if c.inquiry != nil {
		c.inquiry.stop()
		c.inquiry = nil
	}
	testimony := seen.snapshot.Testimony()
	if testimony == "" || testimony == c.writes.ownTestimony() {
		return // this process does not outlive itself
	}
	c.inquiry = newInquiry(ctx, c.config.witnesses.group, c.clock, testimony)
	c.inquiry.ask(0)
}

// heardOf takes in what a witness has answered. One that has no proof is not asked
// about this testimony again.
func (c *candidacy) heardOf(q *inquiry, got proven) {
	if got.err != nil {
		c.logger.V(2).Info("No witness knows what became of the holder; its lease decides", "err", got.err)
		return
	}
	seen := c.observed().snapshot
	if !q.about(seen) {
		return // the next inquiry is about another
	}
	q.proof, q.was, q.came = &got.proof, seen, c.clock.now()
}

// checkedOf takes in whether a proof still holds.
func (c *candidacy) checkedOf(q *inquiry, err error) {
	q.checking = false
	if err == nil {
		q.checked, q.checkedAt = true, c.clock.now()
		return
	}
	q.failures++
	c.logger.V(2).Info("A proof that the holder is dead did not hold when it was to be used", "witness", q.proof.Witness, "err", err)
	q.ask(c.timing.backoff(q.failures, c.random(), 0))
}

// heldUntil returns how long it is until the lease of whoever was seen to hold it has
// run out, and until it may be claimed by proof. The lease is over in both for whoever
// the record does not name any more: nothing is proven about those.
func (c *candidacy) heldUntil(seen observation, now instant) (lease, proof time.Duration) {
	since := now.monoSince(seen.seen)
	lease, proof = seen.claimableAfter()-since, never
	if c.inquiry.proves(seen.snapshot) {
		proof = max(max(seen.still, seen.earlier)-since, c.spread()-now.monoSince(c.inquiry.came))
	}
	return lease, proof
}

// byProof reports whether a claim now rests on a proof: the lease has not run out.
func (c *candidacy) byProof(seen observation, now instant) bool {
	lease, proof := c.heldUntil(seen, now)
	return lease > 0 && proof <= 0
}

// unchecked reports whether a claim now rests on a proof that is to be checked first.
func (c *candidacy) unchecked(seen observation, now instant) bool {
	return c.byProof(seen, now) && !(c.inquiry.checked && now.monoSince(c.inquiry.checkedAt) < freshCheck)
}
