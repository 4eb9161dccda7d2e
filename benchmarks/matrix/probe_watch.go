package matrix

import (
	"context"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// holderPrefix begins the name of the holder that each change of a watched
// Lease brings; the number of the change follows.
const holderPrefix = "change-"

// watchLease is a candidate for a Lease that changes hands all the time and
// never becomes free: it says each holder that it learns of.
func watchLease(ctx context.Context, o probeOptions, config *rest.Config, says *voice) error {
	lock, err := resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, namespace, o.object,
		resourcelock.ResourceLockConfig{Identity: o.column.name()}, config, resourcelock.Options{
			LeaseDuration: o.timing.LeaseDuration,
			RenewDeadline: o.timing.RenewDeadline,
			RetryPeriod:   o.timing.RetryPeriod,
			Mode:          o.column.mode(),
		})
	if err != nil {
		return err
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:          lock,
		LeaseDuration: o.timing.LeaseDuration,
		RenewDeadline: o.timing.RenewDeadline,
		RetryPeriod:   o.timing.RetryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				says.say(event.Event{What: event.Leading})
				<-ctx.Done()
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(holder string) {
				if number, ok := strings.CutPrefix(holder, holderPrefix); ok {
					says.say(event.Event{What: event.Seen, On: o.object, Reason: number})
				}
			},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	return nil
}
