//go:build !race

// This file is left out under the race detector: with it, two busy cores do not
// keep up with the requests, and what is measured is the machine. That it should
// run there too is still to be done.

package resourcelock_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

const (
	leases        = 1000
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// connections counts those that are open at a server.
type connections struct {
	open, most, opened atomic.Int64
}

func (c *connections) state(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.opened.Add(1)
		now := c.open.Add(1)
		for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
		}
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

// renewals are the moments in which each lease was written.
type renewals struct {
	mu sync.Mutex
	at map[string][]time.Time
}

func (r *renewals) commit(c leaseapi.Commit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[string][]time.Time{}
	}
	r.at[c.Lease.Name] = append(r.at[c.Lease.Name], c.Time)
}

// between returns the times between two writes of a lease, sorted, of those
// that end between from and to; except says which leases do not count.
func (r *renewals) between(from, to time.Time, except func(string) bool) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var gaps []time.Duration
	for name, at := range r.at {
		for i := 1; i < len(at); i++ {
			if !except(name) && at[i].After(from) && at[i].Before(to) {
				gaps = append(gaps, at[i].Sub(at[i-1]))
			}
		}
	}
	slices.Sort(gaps)
	return gaps
}

func p(q float64, sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

// fleet is many leaders in one process.
type fleet struct {
	leading, stopped atomic.Int64
	cancel           context.CancelFunc
	all              sync.WaitGroup
}

func lead(t testing.TB, config *rest.Config, n int) *fleet {
	t.Helper()
	f := &fleet{}
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	f.cancel = cancel
	for i := range n {
		// The same configuration each time: that is all it takes to share.
		lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", fmt.Sprintf("shard-%04d", i),
			resourcelock.ResourceLockConfig{Identity: "me"}, rest.CopyConfig(config), renewDeadline)
		require.NoError(t, err)
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					f.leading.Add(1)
					<-ctx.Done()
				},
				OnStoppedLeading: func() { f.stopped.Add(1) },
			},
		})
		require.NoError(t, err)
		f.all.Go(func() { elector.Run(ctx) })
	}
	return f
}

// memory returns the bytes in use on the heap and for stacks.
func memory() (heap, stack float64) {
	for range 3 { // pools take two rounds, cleanups one more
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}

func (f *fleet) end() {
	f.cancel()
	f.all.Wait()
}

func TestManyLeasesNeedEightConnectionsAndASlowOneDelaysNoOther(t *testing.T) {
	var conns connections
	var written renewals
	var requests atomic.Int64
	var slow atomic.Bool
	isSlow := func(name string) bool { return strings.HasSuffix(name, "-0100") }
	endpoint, err := leaseapi.NewStore(leaseapi.Options{
		OnCommit:  written.commit,
		ConnState: conns.state,
		Admit: func(ctx context.Context, r leaseapi.Request) error {
			requests.Add(1)
			if slow.Load() && isSlow(r.Name) {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		},
	}).Serve("a")
	require.NoError(t, err)
	defer func() { require.NoError(t, endpoint.Close()) }()

	start := time.Now()
	f := lead(t, endpoint.Config(), leases)
	defer f.end()
	require.Eventually(t, func() bool { return f.leading.Load() == leases }, 30*time.Second, 10*time.Millisecond)
	t.Logf("figure: %d leases held %v after the start: %d requests, at most %d connections at once, %d opened",
		leases, time.Since(start).Round(time.Millisecond), requests.Load(), conns.most.Load(), conns.opened.Load())

	phase := func(name string, d time.Duration) []time.Duration {
		from, before, opened := time.Now(), requests.Load(), conns.opened.Load()
		conns.most.Store(conns.open.Load())
		time.Sleep(d)
		gaps := written.between(from, time.Now(), isSlow)
		t.Logf("figure: %s: %.0f requests/s, at most %d connections at once, %d opened; %d renewals, from one to the next p50 %v, p99 %v, max %v",
			name, float64(requests.Load()-before)/d.Seconds(), conns.most.Load(), conns.opened.Load()-opened,
			len(gaps), p(0.5, gaps), p(0.99, gaps), p(1, gaps))
		return gaps
	}
	phase("first period", retryPeriod)
	steady := phase("steady", 2*retryPeriod)
	// Where the machine is too busy to renew on time, the gate widens, as it
	// should: then all that can be asked is that it does not run away.
	onTime := p(0.99, steady) < retryPeriod*11/10
	if onTime {
		assert.LessOrEqual(t, conns.most.Load(), int64(8), "connections at once")
	} else {
		t.Logf("the machine is too busy for %d leases; asking for no more than 48 connections, not 8", leases)
		assert.LessOrEqual(t, conns.most.Load(), int64(48), "connections at once")
	}

	slow.Store(true)
	beside := phase("beside a lease that is never answered", 2*retryPeriod)
	if onTime {
		assert.LessOrEqual(t, p(0.99, beside).Seconds(), 1.25*p(0.99, steady).Seconds(), "a slow lease must not delay the others")
	}
	assert.Zero(t, f.stopped.Load(), "every lease is kept")

	// The server and what it holds stay: what goes is the leaders'.
	heapWith, stackWith := memory()
	f.end()
	heapWithout, stackWithout := memory()
	t.Logf("figure: %.1f KiB heap and %.1f KiB stack for each lease",
		(heapWith-heapWithout)/leases/1024, (stackWith-stackWithout)/leases/1024)
	assert.Positive(t, heapWith-heapWithout)
	assert.LessOrEqual(t, (heapWith-heapWithout)/leases/1024, 25.0, "KiB of heap for each lease")
}
