package contender

import (
	"context"
	"sync/atomic"

	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/holdfast-go/holdfast/resourcelock"
)

// controllerRuntime is a manager of controller-runtime as it comes, whose one
// leader-elected Runnable is the guarded work. Metrics and health probes are
// off: two contenders may share a host. The manager chooses its identity
// itself, the host's name and a random part, and does not tell why a term
// ended. The Events that it writes are not in the contenders' role, as they
// are in a scaffolded project's: the API refuses them.
var controllerRuntime = peer{
	refuses: clientGoRefuses,
	contend: func(ctx context.Context, o Options, config *rest.Config, leading func(context.Context), stopped func(string)) error {
		return manage(ctx, o, config, nil, leading, stopped)
	},
}

// manage runs a manager until ctx is done or the lease is lost. A nil lock is
// the manager's own.
func manage(ctx context.Context, o Options, config *rest.Config, lock resourcelock.Interface, leading func(context.Context), stopped func(string)) error {
	logger := klog.FromContext(ctx)
	log.SetLogger(logger)
	m, err := manager.New(config, manager.Options{
		Logger:                              logger,
		LeaderElection:                      true,
		LeaderElectionNamespace:             o.Namespace,
		LeaderElectionID:                    o.Lease,
		LeaderElectionReleaseOnCancel:       o.ReleaseOnCancel,
		LeaderElectionResourceLockInterface: lock,
		LeaseDuration:                       &o.Timing.LeaseDuration,
		RenewDeadline:                       &o.Timing.RenewDeadline,
		RetryPeriod:                         &o.Timing.RetryPeriod,
		Metrics:                             metrics.Options{BindAddress: "0"},
		HealthProbeBindAddress:              "0",
	})
	if err != nil {
		return err
	}
	var led atomic.Bool
	// A RunnableFunc is leader-elected unless it says otherwise.
	err = m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		led.Store(true)
		leading(ctx)
		return nil
	}))
	if err != nil {
		return err
	}
	switch err := m.Start(ctx); {
	case err != nil && !led.Load():
		return err
	case err != nil:
		stopped(err.Error())
	default:
		stopped("")
	}
	return nil
}
