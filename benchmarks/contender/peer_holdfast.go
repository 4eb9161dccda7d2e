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
			LeaseDuration:   o.Timing.LeaseDuration,
			RenewDeadline:   o.Timing.RenewDeadline,
			RetryPeriod:     o.Timing.RetryPeriod,
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

func holdfastRefuses(t Timing) error {
	if t.LeaseDuration < shortestLease {
		return fmt.Errorf("LeaseDuration %v: must be at least %v", t.LeaseDuration, shortestLease)
	}
	_, err := lockOptions(Options{Timing: t}).Budget()
	return err
}

// holdfastLock is this library's lock with connections of its own.
func holdfastLock(o Options, config *rest.Config) (resourcelock.Interface, error) {
	return resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, o.Namespace, o.Lease,
		resourcelock.ResourceLockConfig{Identity: o.Identity}, config, lockOptions(o))
}

func lockOptions(o Options) resourcelock.Options {
	return resourcelock.Options{
		LeaseDuration: o.Timing.LeaseDuration,
		RenewDeadline: o.Timing.RenewDeadline,
		RetryPeriod:   o.Timing.RetryPeriod,
		Mode:          o.Mode,
	}
}
