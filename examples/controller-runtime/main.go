// Command controller-runtime is a manager to start from: it stamps labelled
// ConfigMaps with a checksum of their data, and is elected in one of four ways.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	crconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/holdfast-go/holdfast/examples/controller-runtime/ways"
)

// settings are what the flags say.
type settings struct {
	way                    ways.Way
	kubeconfig             string
	namespace, lease       string
	duration               time.Duration
	deadline, retry        time.Duration
	probes, metricsAddress string
}

func main() {
	s, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "controller-runtime:", err)
		os.Exit(2)
	}
	logger := klog.Background()
	ctrl.SetLogger(logger)
	err = run(ctrl.SetupSignalHandler(), s)
	klog.Flush()
	if err != nil {
		logger.Error(err, "Exiting")
		os.Exit(1) // at once: whoever has lost the lease must not go on
	}
}

// parse reads flags. Its error names the flag, or is flag.ErrHelp.
func parse(args []string, usage io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("controller-runtime", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.TextVar(&s.way, "way", ways.Elector, "how the manager is elected: unchanged, config, lock or elector")
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "`path` of a kubeconfig; empty: the Pod's service account")
	flags.StringVar(&s.namespace, "namespace", "default", "namespace of the Lease")
	flags.StringVar(&s.lease, "lease", "checksums", "name of the Lease that replicas contend for")
	flags.DurationVar(&s.duration, "lease-duration", 15*time.Second, "how long standbys wait after the last renewal before one takes over")
	flags.DurationVar(&s.deadline, "renew-deadline", 10*time.Second, "how long a leader tries to renew; also the bound within which dead connections are noticed")
	flags.DurationVar(&s.retry, "retry-period", 2*time.Second, "time between two renewals")
	flags.StringVar(&s.probes, "health-address", ":8081", "`address` that /healthz and /readyz are served on; 0: not at all")
	flags.StringVar(&s.metricsAddress, "metrics-address", ":8080", "`address` that /metrics is served on; 0: not at all")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("argument %q: there are only flags; -help lists them", flags.Arg(0))
	}
	return s, nil
}

// options are the manager's, apart from the way.
func (s settings) options() ctrl.Options {
	return ctrl.Options{
		LeaderElectionID:              s.lease,
		LeaderElectionNamespace:       s.namespace,
		LeaderElectionReleaseOnCancel: true, // main exits when Start returns
		LeaseDuration:                 &s.duration,
		RenewDeadline:                 &s.deadline,
		RetryPeriod:                   &s.retry,
		Controller:                    crconfig.Controller{EnableWarmup: ptr.To(true)}, // which way elector does by itself
		HealthProbeBindAddress:        s.probes,
		Metrics:                       metricsserver.Options{BindAddress: s.metricsAddress},
	}
}

// run runs the manager until ctx ends, which is no error, or the lease is lost.
func run(ctx context.Context, s settings) error {
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return fmt.Errorf("-kubeconfig=%q: %w", s.kubeconfig, err)
	}
	mgr, err := ways.NewManager(s.way, config, s.options())
	if err != nil {
		return err
	}
	if err := setUpChecksums(mgr); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
