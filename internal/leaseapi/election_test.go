package leaseapi

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

func TestClientGoElectorsElectOneLeaderAndHandOver(t *testing.T) {
	var mu sync.Mutex
	var holders []string
	renewed := map[string]chan struct{}{"one": make(chan struct{}, 1), "two": make(chan struct{}, 1)}
	_, endpoints := serve(t, Options{OnCommit: func(c Commit) {
		mu.Lock()
		defer mu.Unlock()
		holder := *c.Lease.Spec.HolderIdentity
		if len(holders) == 0 || holders[len(holders)-1] != holder {
			holders = append(holders, holder)
			return
		}
		select {
		case renewed[holder] <- struct{}{}:
		default: // once is enough
		}
	}}, "a", "b", "c")
	relay := NewRelay(nil, endpoints...)
	defer relay.Close()

	leading := make(chan string, 2)
	contend := func(ctx context.Context, identity string) <-chan struct{} {
		config := newHost(t, relay, identity).Config()
		lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "l",
			resourcelock.ResourceLockConfig{Identity: identity}, config, 2*time.Second)
		require.NoError(t, err)
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: time.Second,
			ReleaseOnCancel: true, Name: identity,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { leading <- identity },
				OnStoppedLeading: func() {},
			},
		})
		require.NoError(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			elector.Run(ctx)
		}()
		return done
	}
	// Before v0.37 client-go does not repeat a release that meets a renewal under
	// way, of which there is one as soon as it leads: it is stopped between two.
	settled := func(identity string) {
		select {
		case <-renewed[identity]:
		case <-time.After(patience):
			require.FailNow(t, identity+" does not renew")
		}
	}
	ctxOne, stopOne := context.WithCancel(t.Context())
	defer stopOne()
	ctxTwo, stopTwo := context.WithCancel(t.Context())
	defer stopTwo()
	doneOne := contend(ctxOne, "one")
	assert.Equal(t, "one", <-leading)
	doneTwo := contend(ctxTwo, "two")
	settled("one")
	stopOne()
	<-doneOne
	select {
	case who := <-leading:
		assert.Equal(t, "two", who)
	case <-time.After(patience):
		require.FailNow(t, "nobody took over what was released")
	}
	settled("two")
	stopTwo()
	<-doneTwo
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, []string{"one", "", "two", ""}, holders)
}
