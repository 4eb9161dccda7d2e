package resourcelock_test

import (
	"context"
	"flag"
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

// fleetSize is how many leases one process holds in the test of that. A
// thousand are renewed 500 times a second, and client and server share the
// machine: `make fleet` tries it with nothing else to do.
var fleetSize = flag.Int("fleet", 100, "how many leases one process holds")

const (
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
	leading atomic.Int64
	cancel  context.CancelFunc
	all     sync.WaitGroup

	mu   sync.Mutex
	lost []string // the names of leases that are led no longer
}

func (f *fleet) lose(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = append(f.lost, name)
}

// gone returns the leases that are led no longer; except says which do not count.
func (f *fleet) gone(except func(string) bool) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.lost), except)
}

func lead(t testing.TB, config *rest.Config, n int) *fleet {
	t.Helper()
	f := &fleet{}
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	f.cancel = cancel
	for i := range n {
		name := fmt.Sprintf("shard-%04d", i)
		// The same configuration each time: that is all it takes to share.
		lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", name,
			resourcelock.ResourceLockConfig{Identity: "me"}, rest.CopyConfig(config), renewDeadline)
		require.NoError(t, err)
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					f.leading.Add(1)
					<-ctx.Done()
				},
				OnStoppedLeading: func() { f.lose(name) },
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

// window is what a server saw in some time.
type window struct {
	requests float64 // a second
	most     int64   // connections at once
	opened   int64
	renewals []time.Duration // from one renewal of a lease to the next, sorted
	p50, p99 time.Duration
	worst    time.Duration
	paused   time.Duration // for which this process stood still at a time
}

func (w window) String() string {
	return fmt.Sprintf("%.0f requests/s, at most %d connections at once, %d opened; %d renewals, from one to the next p50 %v, p99 %v, max %v; paused for %v",
		w.requests, w.most, w.opened, len(w.renewals), w.p50, w.p99, w.worst, w.paused)
}

// wait waits for d and returns how long this process stood still meanwhile, at most at
// a time: what is due then is as late, whoever does it.
func wait(d time.Duration) (paused time.Duration) {
	const step = 10 * time.Millisecond
	for start, last := time.Now(), time.Now(); time.Since(start) < d; last = time.Now() {
		time.Sleep(step)
		paused = max(paused, time.Since(last)-step)
	}
	return paused
}

// windows is how many windows a claim may take to hold: a machine that pauses
// for a second shows itself in some of them.
const windows = 20

func TestManyLeasesNeedEightConnectionsAndASlowOneDelaysNoOther(t *testing.T) {
	leases := *fleetSize
	var conns connections
	var written renewals
	var requests atomic.Int64
	var slow atomic.Bool
	isSlow := func(name string) bool { return strings.HasSuffix(name, "-0007") }
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
	require.Eventually(t, func() bool { return f.leading.Load() == int64(leases) }, 60*time.Second, 10*time.Millisecond)
	t.Logf("figure: %d leases held %v after the start: %d requests, at most %d connections at once, %d opened",
		leases, time.Since(start).Round(time.Millisecond), requests.Load(), conns.most.Load(), conns.opened.Load())

	look := func(d time.Duration) window {
		from, before, opened := time.Now(), requests.Load(), conns.opened.Load()
		conns.most.Store(conns.open.Load())
		paused := wait(d)
		w := window{renewals: written.between(from, time.Now(), isSlow), most: conns.most.Load(), opened: conns.opened.Load() - opened, paused: paused}
		w.requests = float64(requests.Load()-before) / time.Since(from).Seconds()
		w.p50, w.p99, w.worst = p(0.5, w.renewals), p(0.99, w.renewals), p(1, w.renewals)
		return w
	}
	// calm returns the first window in which the claim holds.
	calm := func(name string, claim func(window) bool) (w window, held bool) {
		for range windows {
			w = look(2 * retryPeriod)
			held = claim(w)
			t.Logf("figure: %s: %v", name, w)
			if held {
				break
			}
		}
		return w, held
	}
	look(retryPeriod) // the first period, in which they find their phases
	onTime := func(w window) bool { return len(w.renewals) >= leases && w.p99 <= retryPeriod*11/10+w.paused }
	_, held := calm("steady", func(w window) bool { return onTime(w) && w.most <= 8 })
	assert.True(t, held, "every lease is renewed on time over eight connections")

	slow.Store(true)
	_, held = calm("beside a lease that is never answered", onTime)
	assert.True(t, held, "a slow lease delays no other")
	assert.Empty(t, f.gone(isSlow), "every other lease is kept") // that one is lost if more than its term has passed

	// The server and what it holds stay: what goes is the leaders'.
	heapWith, stackWith := memory()
	f.end()
	heapWithout, stackWithout := memory()
	each := func(with, without float64) float64 { return (with - without) / float64(leases) / 1024 }
	t.Logf("figure: %.1f KiB heap and %.1f KiB stack for each lease", each(heapWith, heapWithout), each(stackWith, stackWithout))
	if leases >= 1000 { // with fewer, what they share weighs on each
		assert.LessOrEqual(t, each(heapWith, heapWithout), 25.0, "KiB of heap for each lease")
	}
}
