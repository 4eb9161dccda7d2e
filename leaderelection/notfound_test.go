package leaderelection_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
	upstream "k8s.io/client-go/tools/leaderelection"
	upstreamlock "k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// proxy404 is what client-go makes of "404 page not found", as a load balancer, an
// ingress or a proxy without a backend answers it: no Status of an API server.
func proxy404(verb string) error {
	return apierrors.NewGenericServerResponse(404, verb, coordinationv1.Resource("leases"), "it", "404 page not found\n", 0, true)
}

func oursOn(client kubernetes.Interface, identity string) *resourcelock.LeaseLock {
	return &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}
}

func upstreamOn(client kubernetes.Interface, identity string) *upstreamlock.LeaseLock {
	return &upstreamlock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: client.CoordinationV1(),
		LockConfig: upstreamlock.ResourceLockConfig{Identity: identity},
	}
}

// runHoldfast and runUpstream contend for 15/10/2 and count the works that run.
func runHoldfast(t *testing.T, ctx context.Context, client kubernetes.Interface, identity string, works *atomic.Int32, why *atomic.Value) {
	le, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: oursOn(client, identity), LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				works.Add(1)
				<-ctx.Done()
				works.Add(-1)
				why.Store(context.Cause(ctx).Error())
			},
			OnStoppedLeading: func() {},
		},
	})
	require.NoError(t, err)
	le.Run(ctx)
}

func runUpstream(t *testing.T, ctx context.Context, client kubernetes.Interface, identity string, works *atomic.Int32, why *atomic.Value) {
	le, err := upstream.NewLeaderElector(upstream.LeaderElectionConfig{
		Lock: upstreamOn(client, identity), LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		Callbacks: upstream.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { works.Add(1); <-ctx.Done(); works.Add(-1) },
			OnStoppedLeading: func() {},
		},
	})
	require.NoError(t, err)
	le.Run(ctx)
}

type runner func(*testing.T, context.Context, kubernetes.Interface, string, *atomic.Int32, *atomic.Value)

// A 404 that is no answer of the API's is no word on the Lease: it neither ends a term,
// nor makes a takeover late.
func TestA404OfAProxyForASecondDoesNotEndTheTerm(t *testing.T) {
	for name, run := range map[string]runner{"client-go": runUpstream, "holdfast": runHoldfast} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				var broken atomic.Bool
				client.PrependReactor("*", "leases", func(a ktesting.Action) (bool, runtime.Object, error) {
					return broken.Load(), nil, proxy404(a.GetVerb())
				})
				ctx, cancel := context.WithCancel(t.Context())
				var works atomic.Int32
				var why atomic.Value
				done := make(chan struct{})
				go func() { defer close(done); run(t, ctx, client, "a", &works, &why) }()
				time.Sleep(10 * time.Second)
				require.EqualValues(t, 1, works.Load())
				broken.Store(true) // the proxy is configured anew: for 3 s it knows no backend
				time.Sleep(3 * time.Second)
				broken.Store(false)
				time.Sleep(3 * time.Second)
				assert.EqualValues(t, 1, works.Load(), "leads on: %v", why.Load())
				cancel()
				<-done
			})
		})
	}
}

// One backend of three is broken and answers
// every request with a 404 of its own.
func TestOneBackendOfThreeThatAnswers404DoesNotKeepAStandbyFromTakingOver(t *testing.T) {
	for name, run := range map[string]runner{"client-go": runUpstream, "holdfast": runHoldfast} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				holder, seconds, now := "dead", int32(15), metav1.NowMicro()
				client := fake.NewClientset(&coordinationv1.Lease{
					ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"},
					Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now},
				})
				var n atomic.Int32
				client.PrependReactor("get", "leases", func(a ktesting.Action) (bool, runtime.Object, error) {
					return n.Add(1)%3 == 0, nil, proxy404(a.GetVerb())
				})
				client.PrependWatchReactor("leases", func(a ktesting.Action) (bool, watch.Interface, error) {
					return true, nil, apierrors.NewForbidden(coordinationv1.Resource("leases"), "it", nil)
				})
				ctx, cancel := context.WithCancel(t.Context())
				var works atomic.Int32
				var why atomic.Value
				done := make(chan struct{})
				go func() { defer close(done); run(t, ctx, client, "b", &works, &why) }()
				time.Sleep(10 * time.Minute) // the lease has 15 s
				assert.EqualValues(t, 1, works.Load(), "ten minutes after the holder's last renewal somebody leads; %d reads", n.Load())
				cancel()
				<-done
			})
		})
	}
}

// A standby that is told "404 page not found" once, at the moment when the leader's lease
// is about to end, must still take over on time, as client-go does.
func TestOne404DoesNotMakeATakeoverLate(t *testing.T) {
	for name, run := range map[string]runner{"client-go": runUpstream, "holdfast": runHoldfast} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				storage := fake.NewClientset()
				leader := fake.NewClientset()
				var dead, broken atomic.Bool
				leader.PrependReactor("*", "leases", func(a ktesting.Action) (bool, runtime.Object, error) {
					if dead.Load() {
						return true, nil, errors.New("connection refused")
					}
					o, err := storage.Invokes(a, nil)
					return true, o, err
				})
				standby := fake.NewClientset()
				standby.PrependReactor("*", "leases", func(a ktesting.Action) (bool, runtime.Object, error) {
					if broken.Load() {
						return true, nil, proxy404(a.GetVerb())
					}
					o, err := storage.Invokes(a, nil)
					return true, o, err
				})
				standby.PrependWatchReactor("leases", forbidWatch)
				ctx, cancel := context.WithCancel(t.Context())
				var a, b atomic.Int32
				var why atomic.Value
				done := make(chan struct{}, 2)
				go func() { run(t, ctx, leader, "a", &a, &why); done <- struct{}{} }()
				time.Sleep(time.Second)
				go func() { run(t, ctx, standby, "b", &b, &why); done <- struct{}{} }()
				time.Sleep(20 * time.Second)
				require.EqualValues(t, 1, a.Load())
				dead.Store(true) // at most 2 s after a's last renewal; its lease ends within 15 s
				time.Sleep(8 * time.Second)
				broken.Store(true) // for 5 s the proxy has no backend
				time.Sleep(5 * time.Second)
				broken.Store(false)
				time.Sleep(8 * time.Second) // 21 s after the death
				assert.EqualValues(t, 1, b.Load(), "the standby leads")
				cancel()
				<-done
				<-done
			})
		})
	}
}

func forbidWatch(ktesting.Action) (bool, watch.Interface, error) {
	return true, nil, apierrors.NewForbidden(coordinationv1.Resource("leases"), "it", nil)
}
