package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// electHoldfast contends with this library: client_go.go but for the imports, and for
// what client-go does not have.
func electHoldfast(ctx context.Context, c candidacy) error {
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, c.lock,
		resourcelock.ResourceLockConfig{Identity: c.identity}, c.config, c.renew)
	if err != nil {
		return fmt.Errorf("holdfast: making the lock of %s on lease %q: %w", c.identity, c.lock, err)
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   c.lease,
		RenewDeadline:   c.renew,
		RetryPeriod:     c.retry,
		ReleaseOnCancel: c.release,
		Name:            c.lock,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: c.work,
			OnStoppedLeading: func() {},
			OnNewLeader:      c.newLeader,
		},
		Priority:      c.priority,
		HandoverAfter: c.handoverAfter(),
		Successor:     c.successor,
	})
	if err != nil {
		return fmt.Errorf("holdfast: making the elector of %s on lease %q: %w", c.identity, c.lock, err)
	}
	elector.Run(ctx)
	return nil
}

// handoverAfter is the least that there may be, since somebody waits; zero where nobody
// is preferred.
func (c candidacy) handoverAfter() time.Duration {
	if c.priority == nil {
		return 0
	}
	return c.lease
}

// handedOver reports whether the work's context has ended because the lease is handed
// over to a contender that is preferred.
func handedOver(ctx context.Context) bool {
	var ended *leaderelection.TermEndedError
	return errors.As(context.Cause(ctx), &ended) && ended.Reason == leaderelection.ReasonResigned
}
