package resourcelock_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// group is the electors of one process.
type group struct {
	leading  atomic.Int64
	electors []*leaderelection.LeaderElector
	cancel   context.CancelFunc
	all      sync.WaitGroup
}

func (g *group) end() {
	g.cancel()
	g.all.Wait()
}

// A standby of several leases learns of all of them by one watch, and acts on
// each release at once.
func TestAStandbyOfManyLeasesLeadsAtOnceByOneWatch(t *testing.T) {
	const leases = 5
	var watches atomic.Int64
	endpoint, err := leaseapi.NewStore(leaseapi.Options{
		Admit: func(_ context.Context, r leaseapi.Request) error {
			if r.Verb == "watch" {
				watches.Add(1)
			}
			return nil
		},
	}).Serve("a")
	require.NoError(t, err)
	defer func() { require.NoError(t, endpoint.Close()) }()

	contend := func(who string) *group {
		factory, err := resourcelock.NewFactory(endpoint.Config(), resourcelock.Options{RenewDeadline: renewDeadline})
		require.NoError(t, err)
		g := &group{}
		ctx, cancel := context.WithCancel(context.Background())
		g.cancel = cancel
		for i := range leases {
			lock, err := factory.Lock(resourcelock.LeasesResourceLock, "default", fmt.Sprintf("shard-%d", i), resourcelock.ResourceLockConfig{Identity: who})
			require.NoError(t, err)
			elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
				Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
				Callbacks: leaderelection.LeaderCallbacks{
					OnStartedLeading: func(ctx context.Context) {
						g.leading.Add(1)
						<-ctx.Done()
						g.leading.Add(-1)
					},
					OnStoppedLeading: func() {},
				},
			})
			require.NoError(t, err)
			g.electors = append(g.electors, elector)
			g.all.Go(func() { elector.Run(ctx) })
		}
		return g
	}
	leads := func(g *group) func() bool { return func() bool { return g.leading.Load() == leases } }
	a := contend("a")
	defer a.end()
	require.Eventually(t, leads(a), 20*time.Second, 10*time.Millisecond)
	watches.Store(0) // leaders do not watch
	b := contend("b")
	defer b.end()
	sees := func() bool {
		for _, e := range b.electors {
			if e.GetLeader() != "a" {
				return false
			}
		}
		return watches.Load() > 0
	}
	require.Eventually(t, sees, 20*time.Second, 10*time.Millisecond)
	start := time.Now()
	a.end()
	require.Eventually(t, leads(b), 20*time.Second, time.Millisecond)
	t.Logf("figure: %d leases handed over in %v, %d watch", leases, time.Since(start).Round(time.Millisecond), watches.Load())
	assert.EqualValues(t, 1, watches.Load(), "one watch for all")
	assert.Less(t, time.Since(start), leaseDuration-renewDeadline, "long before any lease has run out")
}
