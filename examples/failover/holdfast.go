package main

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// electHoldfast contends with this library: but for the imports, client_go.go.
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
	})
	if err != nil {
		return fmt.Errorf("holdfast: making the elector of %s on lease %q: %w", c.identity, c.lock, err)
	}
	elector.Run(ctx)
	return nil
}
