package contender

import (
	"context"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// holdfast is this library.
var holdfast = peer{
	modes: true,
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		lock, err := resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, o.Namespace, o.Lease,
			resourcelock.ResourceLockConfig{Identity: o.Identity}, config, resourcelock.Options{
				LeaseDuration: o.LeaseDuration,
				RenewDeadline: o.RenewDeadline,
				RetryPeriod:   o.RetryPeriod,
				Mode:          o.Mode,
			})
		if err != nil {
			return err
		}
		var elector *leaderelection.LeaderElector
		elector, err = leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock:            lock,
			LeaseDuration:   o.LeaseDuration,
			RenewDeadline:   o.RenewDeadline,
			RetryPeriod:     o.RetryPeriod,
			ReleaseOnCancel: o.ReleaseOnCancel,
			Name:            o.Lease,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: leading,
				OnStoppedLeading: func() {
					why := ""
					if term := elector.Term(); term != nil && term.Err() != nil {
						why = term.Err().Error()
					}
					stopped(why)
				},
			},
		})
		if err != nil {
			return err
		}
		elector.Run(ctx)
		return nil
	},
}
