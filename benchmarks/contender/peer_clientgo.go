package contender

import (
	"context"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// clientGo is the reference implementation, set up as its own constructor for
// kubeconfigs does it. It does not tell why a term ended.
var clientGo = peer{
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, o.Namespace, o.Lease,
			resourcelock.ResourceLockConfig{Identity: o.Identity}, config, o.RenewDeadline)
		if err != nil {
			return err
		}
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock:            lock,
			LeaseDuration:   o.LeaseDuration,
			RenewDeadline:   o.RenewDeadline,
			RetryPeriod:     o.RetryPeriod,
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
