package matrix

import (
	"fmt"
	"math"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/resourcelock"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// This file derives every bound from the timing of the election and from the
// network. It has no clock and no laboratory. L, D and R are LeaseDuration,
// RenewDeadline and RetryPeriod.

const (
	// machine is what two loaded cores, which run four servers, a dozen probes
	// and this program, may add to any figure beyond what the rules say.
	machine = 250 * time.Millisecond
	// timer is how late a timer of an idle process may fire here.
	timer = 100 * time.Millisecond
	// heard is what an API server takes to hear of a takeover by its watch: 167 ms were
	// measured under saturation (package fence).
	heard = 250 * time.Millisecond
	// rarely is how often a bound that depends on the virtual IP's draws may be
	// missed by chance.
	rarely = 5e-4
	// latestUserTimeout is by how much the kernel was measured to be late with a
	// user timeout (package dialer, "What is promised").
	latestUserTimeout = 700 * time.Millisecond
)

// tokenAge is how old a token from a file becomes before client-go reads the
// file again: it takes it for valid for a minute (period) and looks ten seconds
// before that ends (leeway), in NewCachedFileTokenSource of
// k8s.io/client-go/transport/token_source.go. A 401 does not make it look.
const tokenAge = 50 * time.Second

// The pauses of a reflector: 0.8 s, doubled each time, and up to as much again
// by its jitter (defaultBackoffInit, -Factor, -Jitter in
// k8s.io/client-go/tools/cache/reflector.go), reset after two minutes only.
func reflectorPause(n int) time.Duration {
	const first, longest, stretch = 800 * time.Millisecond, 30 * time.Second, 2
	return stretch * min(first<<min(n, 6), longest)
}

// Bounds are the bounds of one cell; those that do not apply are zero.
type Bounds struct {
	// RenewalLate is for a leader that is to keep its lease, StopAfter for one
	// that cannot: from its last renewal to the end of its work's context.
	RenewalLate, StopAfter time.Duration
	// Takeover is from the end of the dead leader's lease.
	Takeover time.Duration
	// Unseen is for how long a change may go unseen by a watch or informer.
	Unseen time.Duration
	// Write is how long one update may take, WriteAgain how long none succeeds.
	Write, WriteAgain time.Duration
	// Late is how long after a takeover a write of the old leader's may be sent that
	// is executed, Kept how long the new leader is kept from writing, Told how long the
	// old one may not know.
	Late, Kept, Told time.Duration
}

// BoundsOf returns the bounds of a column on a network. A timing that no lock
// can be made with is an error.
func BoundsOf(c Column, w NetworkCondition, t scenario.Timing) (Bounds, error) {
	budget, err := resourcelock.Options{
		LeaseDuration: t.LeaseDuration, RenewDeadline: t.RenewDeadline, RetryPeriod: t.RetryPeriod, Mode: c.mode(),
	}.Budget()
	if err != nil {
		return Bounds{}, fmt.Errorf("bounds of %s at %v: %w", c, t, err)
	}
	if w.HTTP2 && c.Mode != traffic {
		w = NetworkCondition{}
	}
	if w.Deposed && c.Role.leads() {
		return deposedBounds(c, t, budget), nil
	}
	switch c.Role {
	case Leader:
		if !w.reachable(t.RenewDeadline) {
			return Bounds{StopAfter: term(t) + timer}, nil
		}
		return Bounds{RenewalLate: term(t) - t.RetryPeriod}, nil
	case ClientGoLeader:
		// client-go's elector tries to renew for D, and begins R after the last renewal.
		if !w.reachable(t.RenewDeadline) {
			return Bounds{StopAfter: t.RetryPeriod + t.RenewDeadline + timer + machine}, nil
		}
		return Bounds{RenewalLate: t.RenewDeadline}, nil
	case Candidate:
		return Bounds{Takeover: takeoverBound(w, t, budget)}, nil
	case Watch:
		return Bounds{Unseen: watchBound(w, t, budget)}, nil
	case Informer:
		return Bounds{Unseen: informerBound(w, t.RenewDeadline)}, nil
	case Writer:
		write, again := writerBounds(w, t.RenewDeadline)
		return Bounds{Write: write, WriteAgain: again}, nil
	}
	return Bounds{}, fmt.Errorf("bounds of %s: no such role", c)
}

// deposedBounds: an API server hears of a takeover by its watch. The next renewal
// tells the leader: it is due within R, its conflict has the record read, and this
// library's elector believes that at once, while client-go's tries for D.
func deposedBounds(c Column, t scenario.Timing, b dialer.Budget) Bounds {
	told := t.RetryPeriod + 2*answerBound(NetworkCondition{}, b) + timer + machine
	if c.Role == ClientGoLeader {
		told = t.RetryPeriod + t.RenewDeadline + timer + machine
	}
	return Bounds{Late: heard + machine, Kept: heard + machine, Told: told}
}

// term is T of docs/how-it-works.md: a leader's term ends T after its last renewal was
// sent. A renewal is due R after it, so one that is less than T − R late keeps
// the lease.
func term(t scenario.Timing) time.Duration {
	return max(t.RenewDeadline, min(t.RenewDeadline+t.RetryPeriod, t.LeaseDuration-t.RetryPeriod))
}

// heartbeat is how long a lease watcher that hears nothing of its watch waits before
// it asks for itself: a quarter of R longer than renewals should take.
func heartbeat(t scenario.Timing) time.Duration { return t.RetryPeriod + t.RetryPeriod/4 }

// tries is how many new connections it takes until one does not go to a victim:
// the first one always does, and the rest are draws.
func tries(share float64) int {
	if share <= 0 || share >= 1 { // where all are victims, no draw helps
		return 0
	}
	return 1 + int(math.Ceil(math.Log(rarely)/math.Log(share)))
}

// answerBound is how long a lock's request may take while some server answers.
// The connection it starts on may be dead: the first hedge is the first that
// has a new one. From then on new connections start every DialHedge, as
// siblings of a dial or as dials of a further hedge, where the SYN or its
// answer is lost or refused. Where TCP connects and nothing follows, only the
// hedge starts another.
func answerBound(w NetworkCondition, b dialer.Budget) time.Duration {
	if w.Answered {
		return b.Hedge // by a refusal, which refusedBound counts
	}
	pace := b.DialHedge
	if w.New == NoHandshake || w.Late > 0 {
		pace = b.Hedge
	}
	return b.Hedge + time.Duration(w.tries())*pace
}

// refusedBound is for how long requests may be refused: as long as the fault
// lasts, and then the pause that was begun in it. That is at most R by the
// lease watcher's own rule (timing.backoff), or what the answer asks for, which
// client-go obeys within a call.
func refusedBound(w NetworkCondition, t scenario.Timing) time.Duration {
	switch {
	case !w.Answered:
		return 0
	case w.Lasts == 0: // a token that is read again
		return tokenAge + t.RetryPeriod
	}
	return w.Lasts + max(t.RetryPeriod, w.RetryAfter)
}

// watchBound: the heartbeat's read brings what the watch did not. A watch that
// is begun anew after it brings the next change at once, in no more time.
func watchBound(w NetworkCondition, t scenario.Timing, b dialer.Budget) time.Duration {
	return heartbeat(t) + refusedBound(w, t) + answerBound(w, b) + machine
}

// takeoverBound: the leader's last renewal may be one that the watch did not
// bring. The heartbeat's read brings it, and the lease counts from there: a
// quarter of R and one answer after the commit. The claim takes another answer,
// after a spread of R/50, at most 20 ms. Where everyone refuses, the read may
// come only when that is over, and the lease counts from then.
func takeoverBound(w NetworkCondition, t scenario.Timing, b dialer.Budget) time.Duration {
	unseen := heartbeat(t) - t.RetryPeriod + refusedBound(w, t) + answerBound(w, b)
	if w.Answered && w.Everyone {
		unseen += t.LeaseDuration
	}
	return unseen + min(t.RetryPeriod/50, 20*time.Millisecond) + answerBound(w, b) + machine
}
