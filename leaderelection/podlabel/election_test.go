package podlabel

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

const soon, often = 30 * time.Second, 5 * time.Millisecond

// fleet is an election over an API with Leases, whose Pods are api's.
type fleet struct {
	api    *pods
	config *rest.Config
	// atRelease is who bore the label when the lease was released.
	atRelease func() []string
}

func newFleet(t *testing.T, api *pods) *fleet {
	var mu sync.Mutex
	var released []string
	store := leaseapi.NewStore(leaseapi.Options{OnCommit: func(c leaseapi.Commit) {
		if holder := c.Lease.Spec.HolderIdentity; holder != nil && *holder == "" {
			mu.Lock()
			defer mu.Unlock()
			released = append(released, api.bearers())
		}
	}})
	endpoint, err := store.Serve("api")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, endpoint.Close()) })
	return &fleet{api, endpoint.Config(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return released
	}}
}

// contend runs the contender of a Pod until leave is called. context is that of its
// work, once it leads.
func (f *fleet) contend(t *testing.T, pod string) (work <-chan context.Context, leave func()) {
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, namespace, value,
		resourcelock.ResourceLockConfig{Identity: pod}, f.config, 10*time.Second)
	require.NoError(t, err)
	started := make(chan context.Context, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 5 * time.Second, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: f.api.label(pod).Around(func(ctx context.Context) { started <- ctx; <-ctx.Done() }),
			OnStoppedLeading: func() {},
		},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { elector.Run(ctx) })
	leave = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(leave)
	return started, leave
}

func (f *fleet) untilBorneBy(t *testing.T, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return f.api.bearers() == want }, soon, often)
}

func TestTheLabelIsOffWhenTheLeaseIsReleased(t *testing.T) {
	f := newFleet(t, newPods(t, pod("a", false), pod("b", false)))
	_, leaveA := f.contend(t, "a")
	f.untilBorneBy(t, "a")
	_, leaveB := f.contend(t, "b")
	leaveA()
	f.untilBorneBy(t, "b")
	leaveB()
	assert.Equal(t, []string{"", ""}, f.atRelease())
	assert.Empty(t, f.api.bearers())
}

func TestWhoTakesOverTakesTheLabelOfTheDead(t *testing.T) {
	f := newFleet(t, newPods(t, pod("dead", true), pod("a", false)))
	client, err := kubernetes.NewForConfig(f.config)
	require.NoError(t, err)
	dead := &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: value}, Client: client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: "dead"},
	}
	now := metav1.Now()
	require.NoError(t, dead.Create(t.Context(), resourcelock.LeaderElectionRecord{
		HolderIdentity: "dead", LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now,
	}))
	_, _ = f.contend(t, "a")
	f.untilBorneBy(t, "a")
}

func TestATermThatIsOverWritesNothing(t *testing.T) {
	f := newFleet(t, newPods(t, pod("a", false), pod("b", true)))
	work, leave := f.contend(t, "a")
	f.untilBorneBy(t, "a")
	ctx := <-work
	require.NoError(t, mayWrite(ctx))
	leave()
	before := f.api.patched()
	f.api.edit("b", func(pod *corev1.Pod) { pod.Labels[DefaultKey] = value })
	late := context.WithoutCancel(ctx) // its end was not heard of, but the term knows
	err := f.api.label("a").settle(late, late)
	require.ErrorIs(t, err, leaderelection.ErrNotLeader)
	assert.Equal(t, before, f.api.patched())
}
