package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
)

// timing is what both fleets are configured with.
type timing struct {
	lease, renew, retry time.Duration
}

func (t timing) String() string {
	return fmt.Sprintf("lease %v, renew deadline %v, retry period %v", t.lease, t.renew, t.retry)
}

// candidacy is what a process needs to contend.
type candidacy struct {
	timing
	config    *rest.Config
	lock      string // the name of the Lease
	identity  string
	release   bool                      // ReleaseOnCancel
	work      func(ctx context.Context) // OnStartedLeading
	newLeader func(identity string)     // OnNewLeader

	// What only this library has. Nil is none.
	priority  func() int                                // Priority
	successor func(ctx context.Context) (string, error) // Successor
}

// fleet is a kind of contender: each runs the same scenario with the same
// durations, and they differ only in the two packages that elect takes from.
type fleet struct {
	name string
	// elect contends until ctx is done or the lease is lost.
	elect func(ctx context.Context, c candidacy) error
}

// holdfastFleet is the name of the fleet of this library.
const holdfastFleet = "holdfast"

var fleets = []fleet{
	{name: holdfastFleet, elect: electHoldfast},
	{name: "client-go", elect: electClientGo},
}

// namespace is where the Leases of the demonstration live.
const namespace = "default"

// check reports what is wrong with the durations. Both electors would refuse
// most of it themselves; asked here, the answer names the flags.
func (t timing) check() error {
	const jitter = 1.2 // client-go's JitterFactor
	switch {
	case t.lease < time.Second || t.lease%time.Second != 0:
		return fmt.Errorf("-lease %v: must be a whole number of seconds, at least 1s: client-go writes whole seconds", t.lease)
	case t.retry <= 0:
		return fmt.Errorf("-retry %v: must be greater than 0", t.retry)
	case t.renew >= t.lease:
		return fmt.Errorf("-renew %v: must be less than -lease %v", t.renew, t.lease)
	case float64(t.renew) <= jitter*float64(t.retry):
		return fmt.Errorf("-renew %v: must be greater than %g times -retry %v, which is %v",
			t.renew, jitter, t.retry, time.Duration(jitter*float64(t.retry)))
	}
	return nil
}
