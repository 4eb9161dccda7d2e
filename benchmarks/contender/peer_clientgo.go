package contender

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// clientGo is the reference implementation, set up as its own constructor for
// kubeconfigs does it. It does not tell why a term ended.
var clientGo = peer{
	refuses: clientGoRefuses,
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, o.Namespace, o.Lease,
			resourcelock.ResourceLockConfig{Identity: o.Identity}, config, o.Timing.RenewDeadline)
		if err != nil {
			return err
		}
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock:            lock,
			LeaseDuration:   o.Timing.LeaseDuration,
			RenewDeadline:   o.Timing.RenewDeadline,
			RetryPeriod:     o.Timing.RetryPeriod,
			ReleaseOnCancel: o.ReleaseOnCancel,
			Name:            o.Lease,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: leading,
				OnStoppedLeading: func() { stopped("") },
			},
		})
		if err != nil {
			return err
		}
		elector.Run(ctx)
		return nil
	},
}

// clientGoRefuses says what client-go's elector refuses, and the one thing that
// it changes without a word: it writes whole seconds, so that a standby goes by
// another lease than the leader.
func clientGoRefuses(t Timing) error {
	least := time.Duration(leaderelection.JitterFactor * float64(t.RetryPeriod))
	switch {
	case t.LeaseDuration%time.Second != 0:
		return fmt.Errorf("LeaseDuration %v: client-go cuts it to the whole second, %v", t.LeaseDuration, t.LeaseDuration.Truncate(time.Second))
	case t.LeaseDuration <= t.RenewDeadline:
		return fmt.Errorf("LeaseDuration %v: must be greater than RenewDeadline %v", t.LeaseDuration, t.RenewDeadline)
	case t.RenewDeadline <= least:
		return fmt.Errorf("RenewDeadline %v: must be greater than RetryPeriod × %v = %v", t.RenewDeadline, leaderelection.JitterFactor, least)
	}
	return nil
}
