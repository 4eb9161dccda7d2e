package resourcelock_test

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// A lock with connections of its own: each call returns within the renew
// deadline.
func ExampleNewFromKubeconfig() {
	config, stop := inMemoryAPI()
	defer stop()

	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "controller",
		resourcelock.ResourceLockConfig{Identity: "a"}, config, 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	show(lock)
	// Output:
	// default/controller as a
	// a call returns within 10s: true
}

// Options choose how the lock's connections die in time, and check that the
// durations fit together.
func ExampleNewFromKubeconfigWithOptions() {
	config, stop := inMemoryAPI()
	defer stop()

	options := resourcelock.Options{
		LeaseDuration: 3 * time.Second,
		RenewDeadline: 2 * time.Second,
		RetryPeriod:   500 * time.Millisecond,
		Mode:          dialer.NewConnections, // a new connection for every request
		Labels:        map[string]string{"app.kubernetes.io/name": "controller"},
	}
	lock, err := resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, "default", "controller",
		resourcelock.ResourceLockConfig{Identity: "a"}, config, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	show(lock)

	options.LeaseDuration = time.Second
	_, err = resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, "default", "controller",
		resourcelock.ResourceLockConfig{Identity: "a"}, config, options)
	fmt.Println("a lease shorter than the renew deadline is refused:", err != nil)
	// Output:
	// default/controller as a
	// a call returns within 2s: true
	// a lease shorter than the renew deadline is refused: true
}

// A lock around a client of your own promises what that client does. One whose
// configuration was hardened is bounded.
func ExampleLeaseLock() {
	config, stop := inMemoryAPI()
	defer stop()

	hardened, err := dialer.Harden(config, dialer.Budget{Answer: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range []*rest.Config{config, hardened} {
		clientset, err := kubernetes.NewForConfig(c) // for the lock alone
		if err != nil {
			fmt.Println(err)
			return
		}
		show(&resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: "default", Name: "controller"},
			Client:     clientset.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: "a"},
		})
	}
	// Output:
	// default/controller as a
	// a call may wait on a dead connection
	// default/controller as a
	// a call returns within 10s: true
}

// New makes a lock around a client of your own, as client-go's does.
func ExampleNew() {
	config, stop := inMemoryAPI()
	defer stop()

	hardened, err := dialer.Harden(config, dialer.Budget{Answer: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	clientset, err := kubernetes.NewForConfig(hardened)
	if err != nil {
		fmt.Println(err)
		return
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, "default", "controller", nil, clientset.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: "a"})
	if err != nil {
		fmt.Println(err)
		return
	}
	show(lock)
	// Output:
	// default/controller as a
	// a call returns within 10s: true
}

// NewWithLabels makes a lock whose Lease carries labels.
func ExampleNewWithLabels() {
	config, stop := inMemoryAPI()
	defer stop()

	hardened, err := dialer.Harden(config, dialer.Budget{Answer: 10 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	clientset, err := kubernetes.NewForConfig(hardened)
	if err != nil {
		fmt.Println(err)
		return
	}
	lock, err := resourcelock.NewWithLabels(resourcelock.LeasesResourceLock, "default", "controller", nil, clientset.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: "a"}, map[string]string{"app.kubernetes.io/name": "controller"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	now := metav1.Now()
	if err := lock.Create(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: "a", LeaseDurationSeconds: 15, AcquireTime: now, RenewTime: now}); err != nil {
		fmt.Println(err)
		return
	}
	lease, err := clientset.CoordinationV1().Leases("default").Get(ctx, "controller", metav1.GetOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lease.Labels)
	// Output: map[app.kubernetes.io/name:controller]
}

// Many locks over the same few connections.
func ExampleNewFactory() {
	config, stop := inMemoryAPI()
	defer stop()

	var meter dialer.Meter
	factory, err := resourcelock.NewFactory(config, resourcelock.Options{RenewDeadline: 20 * time.Second, Meter: &meter})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for shard := range 100 {
		lock, err := factory.Lock(resourcelock.LeasesResourceLock, "default", fmt.Sprintf("shard-%d", shard), resourcelock.ResourceLockConfig{Identity: "a"})
		if err != nil {
			fmt.Println(err)
			return
		}
		now := metav1.Now()
		if err := lock.Create(ctx, resourcelock.LeaderElectionRecord{HolderIdentity: "a", LeaseDurationSeconds: 15, AcquireTime: now, RenewTime: now}); err != nil {
			fmt.Println(err)
			return
		}
	}
	stats := meter.Stats()
	fmt.Println("answered:", stats.Answered, "on few connections:", stats.Opened < 10)
	// Output: answered: 100 on few connections: true
}

// A record as the Lease has it, and back. A lease that is no whole number of
// seconds is rounded up in it.
func ExampleLeaderElectionRecordToLeaseSpec() {
	record := resourcelock.LeaderElectionRecord{HolderIdentity: "a", LeaseDurationSeconds: resourcelock.WholeSeconds(1500 * time.Millisecond), LeaderTransitions: 3}
	spec := resourcelock.LeaderElectionRecordToLeaseSpec(&record)
	fmt.Println("the Lease:", *spec.HolderIdentity, *spec.LeaseDurationSeconds, *spec.LeaseTransitions)
	back := resourcelock.LeaseSpecToLeaderElectionRecord(&spec)
	fmt.Println("the record:", back.HolderIdentity, back.LeaseDurationSeconds, back.LeaderTransitions)
	// Output:
	// the Lease: a 2 3
	// the record: a 2 3
}

// A Versioned lock tells what the Lease is, and what a write is based on.
func ExampleVersioned() {
	config, stop := inMemoryAPI()
	defer stop()
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "controller",
		resourcelock.ResourceLockConfig{Identity: "a"}, config, 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	versioned, ok := lock.(resourcelock.Versioned)
	if !ok {
		fmt.Println("not a Versioned lock")
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	nothing, err := versioned.Read(ctx)
	fmt.Println("exists:", nothing.Exists(), err)
	now := metav1.Now()
	lease := 1500 * time.Millisecond
	record := resourcelock.LeaderElectionRecord{HolderIdentity: "a", LeaseDurationSeconds: resourcelock.WholeSeconds(lease), AcquireTime: now, RenewTime: now}
	entry := resourcelock.Entry{Record: record, Duration: lease}
	written, err := versioned.Write(ctx, nothing, entry)
	fmt.Println("held by", written.Record.HolderIdentity, "for", written.Duration, err)
	_, err = versioned.Write(ctx, nothing, entry)
	fmt.Println("a write that is based on the past fails:", err != nil)
	// Output:
	// exists: false <nil>
	// held by a for 1.5s <nil>
	// a write that is based on the past fails: true
}

// show says what a lock is and promises.
func show(lock resourcelock.Interface) {
	fmt.Println(lock.Describe(), "as", lock.Identity())
	bound, ok := time.Duration(0), false
	if bounded, is := lock.(resourcelock.Bounded); is {
		bound, ok = bounded.Bound()
	}
	if !ok {
		fmt.Println("a call may wait on a dead connection")
		return
	}
	fmt.Printf("a call returns within %v: %t\n", bound, ok)
}

// inMemoryAPI serves a Lease API; the configuration is what a kubeconfig gives.
func inMemoryAPI() (config *rest.Config, stop func()) {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("api")
	if err != nil {
		panic(err) // an example has no other way to fail
	}
	return endpoint.Config(), func() { _ = endpoint.Close() }
}
