package ways_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/holdfast-go/holdfast/examples/controller-runtime/ways"
	"github.com/holdfast-go/holdfast/internal/leaseapi"
	holdfastctrl "github.com/holdfast-go/holdfast/leaderelection/controllerruntime"
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard())
	ctrl.SetLogger(logr.Discard())
	// No goleak: given a LeaderElectionConfig, controller-runtime makes a second
	// recorder of events and never stops it. Package elected has it.
	os.Exit(m.Run())
}

const patience = 20 * time.Second

func options() ctrl.Options {
	lease, deadline, retry := 10*time.Second, 8*time.Second, 100*time.Millisecond
	// controller-runtime adds to the scheme when it is given LeaderElectionConfig,
	// and here managers are made while others run.
	own := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(own))
	return ctrl.Options{
		Scheme:           own,
		LeaderElectionID: "work", LeaderElectionNamespace: "default", LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &lease, RenewDeadline: &deadline, RetryPeriod: &retry,
		Metrics: metricsserver.Options{BindAddress: "0"},
	}
}

// start starts a manager of its own host and returns what its elected Runnable
// says, and how to stop it.
func start(t *testing.T, relay *leaseapi.Relay, way ways.Way, name string) (leads <-chan struct{}, stop func()) {
	t.Helper()
	host, err := relay.Host(name)
	require.NoError(t, err)
	t.Cleanup(host.Close)
	mgr, err := ways.NewManager(way, host.Config(), options())
	require.NoError(t, err)
	_, ours := mgr.(*holdfastctrl.Manager)
	assert.Equal(t, way == ways.Elector, ours)
	leading := make(chan struct{})
	require.NoError(t, mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		close(leading)
		<-ctx.Done()
		return nil
	})))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stop = func() {
		cancel()
		select {
		case err := <-ended:
			assert.NoError(t, err)
			ended <- nil
		case <-time.After(patience):
			t.Error("Start did not return")
		}
	}
	t.Cleanup(stop)
	return leading, stop
}

func TestManagersOfDifferentWaysContendForOneLease(t *testing.T) {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("api")
	require.NoError(t, err)
	relay := leaseapi.NewRelay(nil, endpoint)
	t.Cleanup(func() {
		relay.Close()
		require.NoError(t, endpoint.Close())
	})
	// A rollout from each way to the next.
	leads, stop := start(t, relay, ways.Ways[0], "replica-0")
	await(t, leads)
	for i, way := range ways.Ways[1:] {
		next, stopNext := start(t, relay, way, "replica-"+string(way))
		select {
		case <-next:
			t.Fatalf("%s leads beside %s", way, ways.Ways[i])
		default:
		}
		stop()
		await(t, next)
		stop = stopNext
	}
}

func await(t *testing.T, leads <-chan struct{}) {
	t.Helper()
	select {
	case <-leads:
	case <-time.After(patience):
		require.FailNow(t, "does not lead")
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	config := &rest.Config{Host: "https://127.0.0.1:1"}
	for says, change := range map[string]func(*ctrl.Options){
		"LeaseDuration":    func(o *ctrl.Options) { o.LeaseDuration = nil },
		"RenewDeadline":    func(o *ctrl.Options) { o.RenewDeadline = nil },
		"RetryPeriod":      func(o *ctrl.Options) { o.RetryPeriod = nil },
		"LeaderElectionID": func(o *ctrl.Options) { o.LeaderElectionID = "" },
	} {
		o := options()
		change(&o)
		_, err := ways.NewManager(ways.Elector, config, o)
		assert.ErrorContains(t, err, says)
	}
	_, err := ways.NewManager("other", config, options())
	assert.ErrorContains(t, err, `"other"`)
}
