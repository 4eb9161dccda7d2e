package leaderelection

import (
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// election is what a contender has one of, in all of its campaigns and terms. The elector
// makes it and owns it; candidate, leader and release are given it, and none of them
// sees the elector. Nothing of it is replaced once the contender runs, and what changes
// in it is safe for concurrent use.
type election struct {
	// lock is the lock, whose calls end when their contexts do; timing are the durations
	// that were configured, and clock what they are measured by. random draws from [0, 1).
	lock   *boundedLock
	timing timing
	clock  timepiece
	random func() float64
	// callBound is how long one call to the lock may take.
	callBound time.Duration
	// allowance is for the calls of all campaigns and terms.
	allowance *allowance
	// writes are what was sent, and may stand in the record.
	writes *sentWrites
	// reports is told what is seen of the lease, trace what is done.
	reports reporter
	trace   *tracer
}

// callBound returns how long one call to a lock may take: the whole renew deadline if
// the lock sees to it that no connection stalls it, else half of a term, which is as
// slow as an API may always be.
func callBound(lock rl.Interface, timing timing) time.Duration {
	if _, hardened := boundOf(lock); hardened {
		return timing.deadline
	}
	return timing.term() / 2
}

// token returns the fencing token of a state, which only a lock that tells
// resource versions has.
func (e *election) token(state rl.Snapshot) string {
	if _, plain := e.lock.Versioned.(*plainLock); plain {
		return ""
	}
	return state.ResourceVersion
}

// newTerm returns the term that was won.
func (e *election) newTerm(won *acquisition) *Term {
	timing := e.timing.storedAs(e.timing.heldFor(won.state))
	return &Term{
		lock:     e.lock.Describe(),
		holder:   e.lock.Identity(),
		acquired: won.state.Record.AcquireTime.Time,
		token:    e.token(won.state),
		clock:    e.clock,
		doubted:  make(chan struct{}, 1),
		refused:  make(chan error, 1),
		resign:   make(chan resignation),
		done:     make(chan struct{}),
		sent:     won.sent,
		length:   timing.term(),
		holds:    timing.lease,
	}
}
