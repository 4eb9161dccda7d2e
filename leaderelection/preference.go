package leaderelection

import (
	"context"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// MaxPriority is the priority of a contender that lets nobody go first.
const MaxPriority = 10

// priorityDelay returns for how long a contender of a priority lets others go first:
// each step below MaxPriority is a tenth of the most.
func (t timing) priorityDelay(priority int) time.Duration {
	most := min(mostYielded, t.retry)
	steps := MaxPriority - max(0, min(priority, MaxPriority))
	return most * time.Duration(steps) / MaxPriority
}

// preference is what a candidate knows of its own priority. That is asked once for
// each write that the lease may be taken after, when the lease is free. The zero value
// is that of one that is not asked.
type preference struct {
	// asked says that it was asked after the write that about shows; answers is where
	// the answer comes, and by what it says is.
	asked   bool
	about   rl.Snapshot
	answers chan priorityAnswer
	by      time.Duration
}

// delay returns by how much others go first after the write that state shows: nothing
// before it was asked, so that it is asked in time.
func (p *preference) delay(state rl.Snapshot) time.Duration {
	if !p.asked || !oneWrite(p.about, state) {
		return 0
	}
	return p.by
}

// unconsulted reports whether the priority is to be asked before the lease is claimed.
func (c *candidacy) unconsulted(seen observation) bool {
	if c.config.priority.claimHook == nil || c.config.coordinated || c.isSuccessor(seen) {
		return false
	}
	return !c.preference.asked || !oneWrite(c.preference.about, seen.snapshot)
}

// consult asks for the priority, in the background. Until it is known, it is taken for
// the least.
func (c *candidacy) consult(ctx context.Context, seen observation) {
	answers := make(chan priorityAnswer, 1)
	c.preference = preference{asked: true, about: seen.snapshot, answers: answers, by: c.timing.priorityDelay(0)}
	go func() { answers <- c.config.priority.beforeClaim(ctx) }()
}

// consulted takes in what the priority is.
func (c *candidacy) consulted(got priorityAnswer) {
	if got.err != nil {
		c.logger.Info("The priority of this contender could not be asked; it lets others go first", "for", c.preference.by, "err", got.err)
		return
	}
	c.preference.by = c.timing.priorityDelay(got.priority)
}
