package podsuccessor

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// rollout is an election whose Pods are replaced one after another.
type rollout struct {
	t      *testing.T
	client *fake.Clientset
	named  bool

	mu      sync.Mutex
	leaders []string // in order
}

// start makes a Pod, which contends and is ready at once, and returns what stops it.
func (r *rollout) start(name, revision string, minute int) (stop func()) {
	p := pod(name, revision, minute)
	_, err := r.client.CoreV1().Pods("shop").Create(r.t.Context(), &p, metav1.CreateOptions{})
	require.NoError(r.t, err)
	config := leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: "shop", Name: "carts"}, Client: r.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: name + "_0b7e"},
		},
		LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				r.mu.Lock()
				r.leaders = append(r.leaders, name)
				r.mu.Unlock()
				<-ctx.Done()
			},
			OnStoppedLeading: func() {},
		},
	}
	if r.named {
		config.Successor, err = New(Config{Pods: r.client.CoreV1().Pods("shop"), Pod: name, Selector: "app=carts"})
		require.NoError(r.t, err)
	}
	elector, err := leaderelection.NewLeaderElector(config)
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	var running sync.WaitGroup
	running.Go(func() { elector.Run(ctx) })
	return func() {
		terminating(&p)
		_, err := r.client.CoreV1().Pods("shop").Update(r.t.Context(), &p, metav1.UpdateOptions{})
		require.NoError(r.t, err)
		cancel()
		running.Wait()
	}
}

// A rolling update makes a new Pod and stops the oldest that is left, one at a time.
func (r *rollout) update(replicas int) {
	var old, updated []func()
	for i := range replicas {
		old = append(old, r.start(fmt.Sprintf("old-%d", i), "old", i))
		time.Sleep(10 * time.Second)
	}
	for i := range replicas {
		updated = append(updated, r.start(fmt.Sprintf("new-%d", i), "new", 100+i))
		time.Sleep(10 * time.Second)
		old[i]()
		time.Sleep(10 * time.Second)
	}
	for _, stop := range updated[1:] {
		stop()
	}
	updated[0]()
}

// How often the leader changes without a successor depends on who is faster each time:
// the old ones have the same chance as the new.
func TestARolloutHasOneChangeOfLeader(t *testing.T) {
	for _, replicas := range []int{2, 3, 5} {
		for _, named := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d replicas, named %v", replicas, named), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := &rollout{t: t, client: fake.NewClientset(), named: named}
					r.update(replicas)
					t.Log(r.leaders)
					if named {
						assert.Equal(t, []string{"old-0", "new-0"}, r.leaders)
					}
				})
			})
		}
	}
}
