package ways

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/holdfast-go/holdfast/resourcelock"
	"github.com/holdfast-go/holdfast/resourcelock/locktest"
)

// elect contends as a manager does that was given the lock.
func elect(ctx context.Context, lock resourcelock.Interface, led func()) error {
	lease, deadline, retry := locktest.LeaseDuration, locktest.RenewDeadline, locktest.RetryPeriod
	// The manager has nothing to ask of an API but its lease.
	mgr, err := ctrl.NewManager(&rest.Config{Host: "https://127.0.0.1:1"}, ctrl.Options{
		LeaderElection: true, LeaderElectionResourceLockInterface: lock,
		LeaseDuration: &lease, RenewDeadline: &deadline, RetryPeriod: &retry,
		Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0", Logger: logr.Discard(),
	})
	if err != nil {
		return err
	}
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		led()
		<-ctx.Done()
		return nil
	}))
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// controller-runtime's elector puts no bound around a call to its lock either.
func TestUnderControllerRuntimesElectorNoLeaseIsLostThatClientGoKeeps(t *testing.T) {
	locktest.Elections(t, elect, func(config *rest.Config, identity string, bound time.Duration) (resourcelock.Interface, error) {
		return resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "it",
			resourcelock.ResourceLockConfig{Identity: identity}, config, bound)
	})
}
