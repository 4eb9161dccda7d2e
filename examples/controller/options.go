package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/examples/controller/hosts"
	"github.com/holdfast-go/holdfast/examples/controller/publish"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// options are what the command's flags say.
type options struct {
	kubeconfig    string
	namespace     string
	lease         string
	leaseDuration time.Duration
	renewDeadline time.Duration
	retryPeriod   time.Duration
	mode          dialer.Mode
	selector      string
	configMap     string
	key           string
	domain        string
	healthAddress string
}

// parse reads flags. Its error is flag.ErrHelp after a call for help, which was
// answered to usage, else it names the flag, its value and what it must be.
func parse(args []string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("controller", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error, once
	flags.Usage = func() {}
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "`path` of a kubeconfig; empty: the Pod's service account")
	flags.StringVar(&o.namespace, "namespace", "kube-system", "namespace of the Lease and of the ConfigMap")
	flags.StringVar(&o.lease, "lease", "hosts-controller", "name of the Lease that replicas contend for")
	flags.DurationVar(&o.leaseDuration, "lease-duration", 15*time.Second, "how long a leader that died is waited for")
	flags.DurationVar(&o.renewDeadline, "renew-deadline", 10*time.Second, "how long a leader tries to renew; also the bound within which dead connections are noticed")
	flags.DurationVar(&o.retryPeriod, "retry-period", 2*time.Second, "time between two renewals")
	flags.TextVar(&o.mode, "mode", dialer.UserTimeout, "connections of the lock: user-timeout or fresh")
	flags.StringVar(&o.selector, "selector", "hosts.holdfast-go.github.io/publish=true", "label selector of the Services to publish")
	flags.StringVar(&o.configMap, "configmap", "hosts-controller", "name of the ConfigMap to write")
	flags.StringVar(&o.key, "key", "services.override", "key of the ConfigMap that holds the hosts block")
	flags.StringVar(&o.domain, "domain", "cluster.internal", "suffix of all names: <service>.<namespace>.<domain>")
	flags.StringVar(&o.healthAddress, "health-address", ":8080", "`address` that /healthz and /readyz are served on; empty: not at all")
	logging := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(logging)
	flags.Var(logging.Lookup("v").Value, "v", "verbosity of the log")

	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(usage)
		fmt.Fprintln(usage, "controller keeps a hosts block for CoreDNS in step with labelled Services.")
		flags.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("argument %q: there are only flags; -help lists them", flags.Arg(0))
	}
	return o, o.validate()
}

func (o options) validate() error {
	for _, rule := range []struct {
		flag, value string
		faults      []string
	}{
		{"namespace", o.namespace, validation.IsDNS1123Label(o.namespace)},
		{"lease", o.lease, validation.IsDNS1123Subdomain(o.lease)},
		{"configmap", o.configMap, validation.IsDNS1123Subdomain(o.configMap)},
		{"key", o.key, validation.IsConfigMapKey(o.key)},
	} {
		if len(rule.faults) > 0 {
			return fmt.Errorf("-%s=%q: %s", rule.flag, rule.value, strings.Join(rule.faults, "; "))
		}
	}
	if err := hosts.CheckName(o.domain); err != nil {
		return fmt.Errorf("-domain: %w", err)
	}
	if _, err := o.services(); err != nil {
		return err
	}
	if o.healthAddress != "" {
		if _, _, err := net.SplitHostPort(o.healthAddress); err != nil {
			return fmt.Errorf("-health-address=%q: %w", o.healthAddress, err)
		}
	}
	if _, err := o.lock().Budget(); err != nil {
		return fmt.Errorf("-lease-duration, -renew-deadline, -retry-period: %w", err)
	}
	return nil
}

// services returns the selector of the Services to publish. One that selects
// everything is refused: it is more likely an empty variable than a wish.
func (o options) services() (labels.Selector, error) {
	selector, err := labels.Parse(o.selector)
	if err != nil {
		return nil, fmt.Errorf("-selector=%q: %w", o.selector, err)
	}
	if selector.Empty() {
		return nil, fmt.Errorf("-selector=%q: would publish every Service", o.selector)
	}
	return selector, nil
}

// lock returns what the lock's connections are built from.
func (o options) lock() resourcelock.Options {
	return resourcelock.Options{
		LeaseDuration: o.leaseDuration,
		RenewDeadline: o.renewDeadline,
		RetryPeriod:   o.retryPeriod,
		Mode:          o.mode,
	}
}

// target returns where the block goes. An installation is known by its Lease:
// whoever contends for the same one may write the same ConfigMap.
func (o options) target() publish.Target {
	return publish.Target{Namespace: o.namespace, Name: o.configMap, Key: o.key, Owner: o.namespace + "/" + o.lease}
}
