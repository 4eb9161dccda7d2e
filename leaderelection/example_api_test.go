package leaderelection_test

import (
	"context"
	"errors"
	"math/big"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// What the examples stand on. They panic where a program would handle an error:
// an example has no other way to fail.

const (
	namespace = "default"
	leaseName = "controller"
	// patience ends an example that hangs.
	patience = 30 * time.Second
)

// inMemoryAPI serves a Lease API; the configuration is what a kubeconfig gives.
func inMemoryAPI() (config *rest.Config, stop func()) {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("api")
	must(err)
	return endpoint.Config(), func() { must(endpoint.Close()) }
}

func lockOf(config *rest.Config, identity string) resourcelock.Interface {
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, leaseName,
		resourcelock.ResourceLockConfig{Identity: identity}, config, 10*time.Second)
	must(err)
	return lock
}

func elector(config *rest.Config, identity string) *leaderelection.LeaderElector {
	le, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lockOf(config, identity),
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks:       quiet(func(term context.Context) { <-term.Done() }),
	})
	must(err)
	return le
}

// start runs an elector; stop ends it and waits for that.
func start(config *rest.Config, identity string) (le *leaderelection.LeaderElector, stop func()) {
	le = elector(config, identity)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	var running sync.WaitGroup
	running.Go(func() { le.Run(ctx) })
	return le, func() {
		cancel()
		running.Wait()
	}
}

func quiet(work func(context.Context)) leaderelection.LeaderCallbacks {
	return leaderelection.LeaderCallbacks{OnStartedLeading: work, OnStoppedLeading: func() {}}
}

func untilLeading(le *leaderelection.LeaderElector) { until(le.IsLeader) }

func until(held func() bool) {
	for end := time.Now().Add(patience); !held(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			panic("waited in vain")
		}
	}
}

// reasonOf says why the term that ctx belongs to has ended.
func reasonOf(ctx context.Context) leaderelection.Reason {
	var ended *leaderelection.TermEndedError
	if errors.As(context.Cause(ctx), &ended) {
		return ended.Reason
	}
	return ""
}

// holderOf asks the API who holds the lease.
func holderOf(config *rest.Config) string {
	client, err := kubernetes.NewForConfig(config)
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, leaseName, metav1.GetOptions{})
	must(err)
	if holder := lease.Spec.HolderIdentity; holder != nil && *holder != "" {
		return *holder
	}
	return "nobody"
}

// fence is a receiver that refuses what an earlier leader sends late.
type fence struct{ newest big.Int }

// accept compares tokens as integers, which is what resource versions are since
// Kubernetes 1.35.
func (f *fence) accept(token string) bool {
	got, ok := new(big.Int).SetString(token, 10)
	if !ok || got.Cmp(&f.newest) < 0 {
		return false
	}
	f.newest.Set(got)
	return true
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
