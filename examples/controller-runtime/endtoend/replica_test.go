package endtoend

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/examples/controller-runtime/ways"
)

const (
	// marker is the environment variable that makes the test binary a replica.
	marker = "HOLDFAST_CONTROLLER_RUNTIME_REPLICA"
	// probes is where a replica answers them, on its own host.
	probes = "127.0.0.1:8081"
	// namespace holds the Leases and the objects to reconcile.
	namespace = "election"
)

// replicaOptions are what a replica is told.
type replicaOptions struct {
	way                     ways.Way
	name, lease, kubeconfig string
	// stop is how long a reconcile takes to return when it is to stop.
	stop time.Duration
	// objects is how many ConfigMaps a warm cache holds.
	objects int
}

func (o replicaOptions) args() []string {
	return []string{
		"-way=" + string(o.way), "-name=" + o.name, "-lease=" + o.lease, "-kubeconfig=" + o.kubeconfig,
		"-stop=" + o.stop.String(), fmt.Sprintf("-objects=%d", o.objects),
	}
}

// replicaMain returns at once unless the program was started as a replica.
func replicaMain() {
	if os.Getenv(marker) == "" {
		return
	}
	var o replicaOptions
	flags := flag.NewFlagSet("replica", flag.ExitOnError)
	flags.TextVar(&o.way, "way", ways.Elector, "")
	flags.StringVar(&o.name, "name", "", "")
	flags.StringVar(&o.lease, "lease", "", "")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "")
	flags.DurationVar(&o.stop, "stop", 0, "")
	flags.IntVar(&o.objects, "objects", 0, "")
	_ = flags.Parse(os.Args[1:]) // exits on an error
	ctrl.SetLogger(klog.Background())
	err := o.run()
	klog.Flush()
	if err != nil {
		fmt.Fprintln(os.Stderr, "replica:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run is a manager with one controller, as an operator would have it.
func (o replicaOptions) run() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	t := scenario.Short
	mgr, err := ways.NewManager(o.way, config, ctrl.Options{
		LeaderElectionID: o.lease, LeaderElectionNamespace: namespace, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &t.LeaseDuration, RenewDeadline: &t.RenewDeadline, RetryPeriod: &t.RetryPeriod,
		HealthProbeBindAddress: probes,
		Metrics:                metricsserver.Options{BindAddress: "0"},
		// A read makes no informer: what is in the cache, a source has put there.
		Cache: cache.Options{ReaderFailOnMissingInformer: true},
	})
	if err != nil {
		return err
	}
	w := &work{stop: o.stop, out: event.NewWriter(os.Stdout), who: o.name}
	if err := ctrl.NewControllerManagedBy(mgr).For(&corev1.ConfigMap{}).Complete(reconcile.Func(w.reconcile)); err != nil {
		return err
	}
	if err := mgr.Add(always(func(ctx context.Context) error {
		w.say(event.Started, "")
		<-ctx.Done()
		return nil
	})); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("warm", func(r *http.Request) error { return warm(r.Context(), mgr, o.objects) }); err != nil {
		return err
	}
	err = mgr.Start(ctx)
	if err != nil && ctx.Err() == nil {
		w.say(event.Lost, err.Error())
	}
	return err
}

// warm returns nil when the manager's cache holds all objects.
func warm(ctx context.Context, mgr manager.Manager, objects int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var cached corev1.ConfigMapList
	if err := mgr.GetCache().List(ctx, &cached, client.InNamespace(namespace)); err != nil {
		return err
	}
	if len(cached.Items) != objects {
		return fmt.Errorf("%d objects are cached: it must be %d", len(cached.Items), objects)
	}
	return nil
}

// always is a Runnable that needs no leader election.
type always func(context.Context) error

func (f always) Start(ctx context.Context) error { return f(ctx) }
func (always) NeedLeaderElection() bool          { return false }

// work is what the reconciler does: the first reconcile lasts until its context
// ends, and then takes its time to return.
type work struct {
	stop time.Duration
	out  *event.Writer
	who  string
}

func (w *work) reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	if ctx.Err() != nil {
		return reconcile.Result{}, nil // an item that the queue still held
	}
	w.say(event.Leading, "")
	<-ctx.Done()
	w.say(event.Stopping, "")
	time.Sleep(w.stop) // this is the work: it ignores its context
	w.say(event.Stopped, "")
	return reconcile.Result{}, nil
}

func (w *work) say(what event.What, reason string) {
	if err := w.out.Write(event.Event{Who: w.who, What: what, Reason: reason}); err != nil {
		fmt.Fprintln(os.Stderr, "replica:", err)
		os.Exit(3) // a stream with a gap would give wrong figures
	}
}
