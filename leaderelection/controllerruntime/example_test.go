package holdfastctrl_test

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/holdfast-go/holdfast/leaderelection"
	holdfastctrl "github.com/holdfast-go/holdfast/leaderelection/controllerruntime"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// found is what ctrl.GetConfigOrDie returns in a cluster.
var found = &rest.Config{Host: "https://127.0.0.1:6443"}

// A manager of an operator, with Holdfast's election.
func ExampleNewManager() {
	mgr, err := holdfastctrl.NewManager(found, ctrl.Options{ // was ctrl.NewManager
		LeaderElection:                true,
		LeaderElectionID:              "shop-operator",
		LeaderElectionNamespace:       "shop", // in a cluster: the Pod's, unless it is set
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metricsserver.Options{BindAddress: "0"}, // for this example
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done() // runs while this process leads
		return nil
	}))
	fmt.Println(err)
	// Then: mgr.Start(ctrl.SetupSignalHandler())
	// Output: <nil>
}

// What an operator that has checks of its own switches off, and what options
// cannot say.
func ExampleWithout() {
	_, err := holdfastctrl.NewManager(found, ctrl.Options{
		LeaderElection: true, LeaderElectionID: "shop-operator", LeaderElectionNamespace: "shop",
		Metrics: metricsserver.Options{BindAddress: "0"},
	},
		holdfastctrl.Without(holdfastctrl.FeatureReadyz, holdfastctrl.FeatureMetrics),
		holdfastctrl.WithElection(func(election *leaderelection.LeaderElectionConfig) {
			election.Callbacks.OnNewLeader = func(identity string) { fmt.Println("the leader is", identity) }
		}),
		holdfastctrl.WithRegisterer(nil), // metrics are off
	)
	fmt.Println(err)
	// Output: <nil>
}

// A manager that has been made already, and an election of one's own.
func ExampleNew() {
	inner, err := ctrl.NewManager(found, ctrl.Options{Metrics: metricsserver.Options{BindAddress: "0"}}) // without LeaderElection
	if err != nil {
		fmt.Println(err)
		return
	}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "shop", "operator",
		resourcelock.ResourceLockConfig{Identity: "pod-1"}, found, 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	mgr, err := holdfastctrl.New(inner, leaderelection.LeaderElectionConfig{
		Lock: lock, Name: "shop", ReleaseOnCancel: true,
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("leads:", mgr.Elector().IsLeader())
	// Output: leads: false
}
