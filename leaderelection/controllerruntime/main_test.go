package holdfastctrl_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	holdfastctrl "github.com/holdfast-go/holdfast/leaderelection/controllerruntime"
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	goleak.VerifyTestMain(m)
}

// patience bounds every wait for something that is to happen soon.
const patience = 20 * time.Second

// stage is an API in memory and the way of hosts to it.
type stage struct {
	store *leaseapi.Store
	relay *leaseapi.Relay
}

func newStage(t *testing.T) *stage {
	t.Helper()
	store := leaseapi.NewStore(leaseapi.Options{})
	endpoint, err := store.Serve("api")
	require.NoError(t, err)
	relay := leaseapi.NewRelay(nil, endpoint)
	t.Cleanup(func() {
		relay.Close()
		require.NoError(t, endpoint.Close())
	})
	return &stage{store: store, relay: relay}
}

// replica is one process's manager, and the host whose network it has.
type replica struct {
	*holdfastctrl.Manager
	host *leaseapi.Host
	stop context.CancelFunc
	// ended receives what Start returned.
	ended chan error
}

// lasting is a lease that no load on the machine ends by itself, brief one that
// is lost soon.
var (
	lasting = timing{10 * time.Second, 8 * time.Second, time.Second}
	brief   = timing{time.Second, 700 * time.Millisecond, 150 * time.Millisecond}
)

type timing struct{ lease, deadline, retry time.Duration }

// replica returns a manager that has not been started.
func (s *stage) replica(t *testing.T, name string, d timing, change func(*manager.Options), extra ...holdfastctrl.Option) *replica {
	t.Helper()
	host, err := s.relay.Host(name)
	require.NoError(t, err)
	t.Cleanup(host.Close)
	options := manager.Options{
		LeaderElection: true, LeaderElectionID: "work", LeaderElectionNamespace: "default", LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &d.lease, RenewDeadline: &d.deadline, RetryPeriod: &d.retry,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	}
	if change != nil {
		change(&options)
	}
	// client-go goes on writing an event when its manager has ended. Hardened, it
	// would dial a host that is gone for as long as RenewDeadline.
	extra = append(extra, holdfastctrl.Without(holdfastctrl.FeatureTraffic))
	m, err := holdfastctrl.NewManager(host.Config(), options, extra...)
	require.NoError(t, err)
	require.IsType(t, (*holdfastctrl.Manager)(nil), m)
	return &replica{Manager: m.(*holdfastctrl.Manager), host: host, ended: make(chan error, 1)}
}

// start starts the manager; the test's end stops it.
func (r *replica) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		r.ended <- r.Start(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		within(t, returned, "Start of %s to return", r.host.Name())
	})
}

// within waits for a channel to be closed or to deliver.
func within[T any](t *testing.T, c <-chan T, what string, args ...any) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "not seen: "+what, args...)
		panic("unreachable")
	}
}

// open fails the test if the channel is closed or delivers.
func open[T any](t *testing.T, c <-chan T, what string) {
	t.Helper()
	select {
	case <-c:
		require.FailNow(t, what)
	default:
	}
}

// task is a Runnable that says when it runs and takes its time to stop.
type task struct {
	started chan context.Context
	// linger is what it waits for after the end of its context; nil is nothing.
	linger  <-chan struct{}
	stopped chan struct{}
	err     error
}

func newTask() *task {
	return &task{started: make(chan context.Context, 1), stopped: make(chan struct{})}
}

func (w *task) Start(ctx context.Context) error {
	defer close(w.stopped)
	w.started <- ctx
	if w.err != nil {
		return w.err
	}
	<-ctx.Done()
	if w.linger != nil {
		<-w.linger
	}
	return nil
}

// always is a task that needs no leader election.
type always struct{ *task }

func (always) NeedLeaderElection() bool { return false }
