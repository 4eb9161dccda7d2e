package leaderelection_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// What docs/testing.md shows: tests of a controller as its authors write them.

// newReplica returns one replica of a controller under test.
func newReplica(t *testing.T, client kubernetes.Interface, identity string, change func(*leaderelection.LeaderElectionConfig)) *leaderelection.LeaderElector {
	t.Helper()
	config := leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: "default", Name: "my-controller"},
			Client:     client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
		},
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { <-ctx.Done() }, // the controller
			OnStoppedLeading: func() {},
		},
	}
	if change != nil {
		change(&config)
	}
	elector, err := leaderelection.NewLeaderElector(config)
	if err != nil {
		t.Fatal(err)
	}
	return elector
}

func TestYourControllerHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		first, second := newReplica(t, client, "pod-1", nil), newReplica(t, client, "pod-2", nil)
		ctx, stopFirst := context.WithCancel(t.Context())
		go first.Run(ctx)
		time.Sleep(time.Second) // virtual: it takes no time
		go second.Run(t.Context())
		time.Sleep(10 * time.Minute)
		if !first.IsLeader() || second.IsLeader() {
			t.Fatal("the first leads alone")
		}
		stopFirst()
		time.Sleep(time.Second)
		if first.IsLeader() || !second.IsLeader() {
			t.Fatal("the second has taken over")
		}
	})
}

func TestYourControllerLosesItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var work context.Context
		elector := newReplica(t, client, "pod-1", func(c *leaderelection.LeaderElectionConfig) {
			c.Callbacks.OnStartedLeading = func(ctx context.Context) { work = ctx; <-ctx.Done() }
		})
		var down atomic.Bool
		for _, verb := range []string{"get", "update"} {
			client.PrependReactor(verb, "leases", func(clienttesting.Action) (bool, runtime.Object, error) {
				return down.Load(), nil, errors.New("down")
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); elector.Run(ctx) }()
		time.Sleep(time.Minute)
		down.Store(true)
		time.Sleep(12 * time.Second) // RenewDeadline + RetryPeriod
		synctest.Wait()
		var lost *leaderelection.TermEndedError
		if !errors.As(context.Cause(work), &lost) || lost.Reason != leaderelection.ReasonRenewDeadline {
			t.Fatal(context.Cause(work))
		}
		cancel()
		<-ended
	})
}

func TestYourControllerWithAFakeClock(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	renewed := make(chan leaderelection.RenewalResult, 100)
	elector := newReplica(t, fake.NewClientset(), "pod-1", func(c *leaderelection.LeaderElectionConfig) {
		c.Clock = clock
		c.Trace = &leaderelection.Trace{Renewal: func(result leaderelection.RenewalResult, _ time.Duration) { renewed <- result }}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); elector.Run(ctx) }()
	for !elector.IsLeader() {
		clock.Step(time.Millisecond) // nothing happens on a clock that stands still
		time.Sleep(time.Millisecond)
	}
	for renewals := 0; renewals < 3; {
		clock.Step(200 * time.Millisecond) // a tenth of RetryPeriod
		select {
		case result := <-renewed:
			if renewals++; result != leaderelection.RenewalConfirmed {
				t.Fatal(result)
			}
		case <-time.After(20 * time.Millisecond): // for the elector to run
		}
	}
	if !elector.IsLeader() {
		t.Fatal("it renews and leads on")
	}
	cancel()
	<-ended
}
