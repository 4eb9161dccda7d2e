package contender

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// holdfast is this library.
var holdfast = peer{
	modes:   true,
	refuses: holdfastRefuses,
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		lock, err := holdfastLock(o, config)
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

// shortestLease is the least LeaseDuration that this library's elector takes.
const shortestLease = 500 * time.Millisecond

func holdfastRefuses(o Options) error {
	if o.LeaseDuration < shortestLease {
		return fmt.Errorf("LeaseDuration %v: must be at least %v", o.LeaseDuration, shortestLease)
	}
	_, err := lockOptions(o).Budget()
	return err
}

// holdfastLock is this library's lock with connections of its own.
func holdfastLock(o Options, config *rest.Config) (resourcelock.Interface, error) {
	return resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, o.Namespace, o.Lease,
		resourcelock.ResourceLockConfig{Identity: o.Identity}, config, lockOptions(o))
}

func lockOptions(o Options) resourcelock.Options {
	return resourcelock.Options{
		LeaseDuration: o.LeaseDuration,
		RenewDeadline: o.RenewDeadline,
		RetryPeriod:   o.RetryPeriod,
		Mode:          o.Mode,
	}
}
