package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/examples/controller/hosts"
	"github.com/holdfast-go/holdfast/examples/controller/publish"
	election "github.com/holdfast-go/holdfast/leaderelection/options"
)

// options are what the command's flags say.
type options struct {
	election      election.Options
	kubeconfig    string
	namespace     string
	selector      string
	configMap     string
	key           string
	domain        string
	healthAddress string
}

// parse reads flags. Its error is flag.ErrHelp after a call for help, which was
// answered to usage, else it names the flag, its value and what it must be.
func parse(args []string, usage io.Writer) (options, error) {
	o := options{election: election.Default()}
	o.election.ResourceNamespace, o.election.ResourceName = "kube-system", component
	flags := flag.NewFlagSet("controller", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error, once
	flags.Usage = func() {}
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "`path` of a kubeconfig; empty: the Pod's service account")
	flags.StringVar(&o.namespace, "namespace", "kube-system", "namespace of the ConfigMap")
	o.election.AddFlags(flags)
	flags.StringVar(&o.selector, "selector", "hosts.holdfast-go.github.io/publish=true", "label selector of the Services to publish")
	flags.StringVar(&o.configMap, "configmap", component, "name of the ConfigMap to write")
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
	if err := o.election.Validate(); err != nil {
		return fmt.Errorf("the flags -leader-elect-…: %w", err)
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

// target returns where the block goes. An installation is known by its Lease:
// whoever contends for the same one may write the same ConfigMap. It keeps that
// name where nobody contends.
func (o options) target() publish.Target {
	return publish.Target{Namespace: o.namespace, Name: o.configMap, Key: o.key, Owner: o.election.ResourceNamespace + "/" + o.election.ResourceName}
}
