package holdfastprom

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// network is a Lease API behind one address.
type network struct {
	endpoint *leaseapi.Endpoint
	relay    *leaseapi.Relay
}

func newNetwork(t *testing.T) network {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("a")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, endpoint.Close()) })
	relay := leaseapi.NewRelay(nil, endpoint)
	t.Cleanup(relay.Close)
	return network{endpoint: endpoint, relay: relay}
}

// contender is a real elector on a network, with what its Trace tells.
type contender struct {
	config  leaderelection.LeaderElectionConfig
	host    *leaseapi.Host
	cancel  context.CancelFunc
	done    chan struct{}
	began   chan leaderelection.Succession
	ended   chan leaderelection.Reason
	renewed chan leaderelection.RenewalResult
}

// prepare returns a contender whose config is complete but for the Collector.
func prepare(t *testing.T, n network, identity string) *contender {
	host, err := n.relay.Host(identity)
	require.NoError(t, err)
	t.Cleanup(host.Close)
	const deadline = 4 * time.Second
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "shop",
		resourcelock.ResourceLockConfig{Identity: identity}, host.Config(), deadline)
	require.NoError(t, err)
	c := &contender{host: host, done: make(chan struct{}), began: make(chan leaderelection.Succession, 8),
		ended: make(chan leaderelection.Reason, 8), renewed: make(chan leaderelection.RenewalResult, 1)}
	c.config = leaderelection.LeaderElectionConfig{
		Lock: lock, Name: "shop", LeaseDuration: 6 * time.Second, RenewDeadline: deadline, RetryPeriod: 100 * time.Millisecond,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { <-ctx.Done() }, OnStoppedLeading: func() {},
		},
		Trace: &leaderelection.Trace{
			TermBegan: func(_ *leaderelection.Term, how leaderelection.Succession) { c.began <- how },
			TermEnded: func(_ *leaderelection.Term, ended *leaderelection.TermEndedError) { c.ended <- ended.Reason },
			Renewal: func(result leaderelection.RenewalResult, _ time.Duration) {
				select {
				case c.renewed <- result:
				default:
				}
			},
		},
	}
	return c
}

// run contends until the test ends or cancel is called.
func (c *contender) run(t *testing.T, metrics *Collector) *contender {
	metrics.Election(&c.config)
	elector, err := leaderelection.NewLeaderElector(c.config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go func() {
		defer close(c.done)
		elector.Run(ctx)
	}()
	t.Cleanup(c.stop)
	return c
}

func (c *contender) stop() {
	c.cancel()
	<-c.done
}

// next waits for what a channel brings.
func next[T any](t *testing.T, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(patience):
		require.FailNow(t, "nothing came", "within %v", patience)
	}
	return got
}

// series finds one series by the values of its labels, in the order of the
// labels' names.
func series(t *testing.T, metrics *Collector, name string, values ...string) *dto.Metric {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics))
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			if labelsAre(metric, values) {
				return metric
			}
		}
	}
	return nil
}

func labelsAre(metric *dto.Metric, values []string) bool {
	if len(metric.GetLabel()) != len(values) {
		return false
	}
	for i, label := range metric.GetLabel() {
		if label.GetValue() != values[i] {
			return false
		}
	}
	return true
}

// value returns what one gauge or counter stands at; it must exist.
func value(t *testing.T, metrics *Collector, name string, values ...string) float64 {
	t.Helper()
	metric := series(t, metrics, name, values...)
	require.NotNil(t, metric, "%s%v", name, values)
	if metric.GetCounter() != nil {
		return metric.GetCounter().GetValue()
	}
	return metric.GetGauge().GetValue()
}

// suspending is a clock whose time since boot can be pushed on, as by a machine
// that was asleep.
type suspending struct {
	clock.RealClock
	began  time.Time
	asleep *atomic.Int64
}

func (c suspending) SinceBoot() time.Duration {
	return time.Since(c.began) + time.Duration(c.asleep.Load())
}
