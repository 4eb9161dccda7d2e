package leaderelection

import (
	"context"
	"time"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// candidateConfig is what of a configuration only a candidate goes by.
type candidateConfig struct {
	// coordinated says that the API server chooses who leads, and releaseOnCancel that a
	// lease that was won when Run's context ends is released.
	coordinated, releaseOnCancel bool
	// successorWait is for how long a successor goes first, zero for the default.
	successorWait time.Duration
	// handoverAfter is how long a leader is seen before it is asked to hand the lease
	// over, by wisher; nobody is asked where the one is zero or the other nil.
	handoverAfter time.Duration
	wisher        rl.Wisher
	priority      *priority
	// witnesses know of dead processes, and leave word of this one.
	witnesses *testifying
}

// candidate returns what a candidate goes by.
func (c *LeaderElectionConfig) candidate(priority *priority, witnesses *testifying) candidateConfig {
	wisher, _ := c.Lock.(rl.Wisher)
	return candidateConfig{
		coordinated: c.Coordinated, releaseOnCancel: c.ReleaseOnCancel,
		successorWait: c.SuccessorWait, handoverAfter: c.HandoverAfter, wisher: wisher,
		priority: priority, witnesses: witnesses,
	}
}

// leaderConfig is what of a configuration only a leader goes by.
type leaderConfig struct {
	// coordinated says that the API server chooses who leads, and releaseOnCancel that
	// the lease is released when Run's context ends.
	coordinated, releaseOnCancel bool
	// stopTimeout is how long the work may take to return before a release.
	stopTimeout time.Duration
	// handoverAfter is how long a term lasts before it may be handed over to who asks for
	// it; nobody is heard where it is zero.
	handoverAfter time.Duration
	priority      *priority
	// successor is the hook that names a successor, nil for none, and successors are the
	// calls of it.
	successor  func(context.Context) (string, error)
	successors *bounded.Calls
	// clocks returns what tells of leaps of the clocks, nil where they are compared for that.
	clocks func() *clockWatch
	// slowPath counts that a renewal was not confirmed.
	slowPath func()
}

// leader returns what a leader goes by.
func (c *LeaderElectionConfig) leader(priority *priority, clocks func() *clockWatch, slowPath func()) leaderConfig {
	return leaderConfig{
		coordinated: c.Coordinated, releaseOnCancel: c.ReleaseOnCancel,
		stopTimeout: c.stopTimeout(), handoverAfter: c.HandoverAfter, priority: priority,
		successor: c.Successor, successors: new(bounded.Calls),
		clocks: clocks, slowPath: slowPath,
	}
}

// leastPatience is the least that work is given to stop before a release, if
// nothing is configured: how fast work stops has nothing to do with how short
// the lease is.
const leastPatience = 10 * time.Second

func (c *LeaderElectionConfig) stopTimeout() time.Duration {
	if c.StopTimeout > 0 {
		return c.StopTimeout
	}
	return max(c.timing().deadline, leastPatience)
}
