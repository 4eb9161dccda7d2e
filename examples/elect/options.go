package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"k8s.io/klog/v2"

	election "github.com/holdfast-go/holdfast/leaderelection/options"
	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
)

// releasing is how long a lease is renewed beyond the grace of the command, for it to
// be killed and the lease to be released.
const releasing = 5 * time.Second

// options are what the flags say.
type options struct {
	kubeconfig string
	identity   string
	address    string
	grace      time.Duration
	// label is of the Pod while it leads; empty: none.
	labelKey, labelValue string
	// again: contend again after the command has ended or a term was lost.
	again    bool
	election election.Options
	command  []string
}

// parse reads the flags. Its error is flag.ErrHelp if help was asked for and
// answered to usage, else it names the flag, its value and what it must be.
func parse(args []string, usage io.Writer) (options, error) {
	o := options{election: election.Default()}
	o.election.ResourceNamespace = ownNamespace()
	flags := flag.NewFlagSet("elect", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error, once
	flags.Usage = func() {}
	label := ""
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "`path` of a kubeconfig; empty: the Pod's service account")
	flags.StringVar(&o.identity, "identity", "", "`name` to contend under, unique to this process; empty: the Pod, or the host name, and a random part")
	flags.StringVar(&o.address, "address", ":8080", "`address` that /leader, /healthz, /readyz and /metrics are served on; empty: not at all")
	flags.DurationVar(&o.grace, "grace", 10*time.Second, "how long the command may take to stop after SIGTERM while the lease is still held; then it is killed")
	flags.StringVar(&label, "pod-label", "", "`label` of the own Pod while it leads, as a value of "+podlabel.DefaultKey+" or as key=value; needs POD_NAME and POD_NAMESPACE")
	o.election.AddFlags(flags)
	// The same by shorter names.
	flags.StringVar(&o.election.ResourceName, "lease", "", "`name` of the Lease; required")
	flags.StringVar(&o.election.ResourceNamespace, "namespace", o.election.ResourceNamespace, "namespace of the Lease; the Pod's own unless set")
	flags.BoolVar(&o.election.ContendAgain, "again", false, "contend again after the command has ended or a term was lost, instead of exiting")
	logging := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(logging)
	flags.Var(logging.Lookup("v").Value, "v", "verbosity of the log")

	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(usage)
		fmt.Fprintln(usage, "elect -lease NAME [flags] -- command args…: runs a command while it leads.")
		flags.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, err
	}
	o.command = flags.Args()
	if len(o.command) > 0 && args[len(args)-len(o.command)-1] != "--" {
		return o, fmt.Errorf("argument %q: the command must stand behind --, as in elect -lease NAME -- %s", o.command[0], strings.Join(o.command, " "))
	}
	if key, value, both := strings.Cut(label, "="); both {
		o.labelKey, o.labelValue = key, value
	} else {
		o.labelValue = label
	}
	// The elector's own way to contend again knows nothing of a command that ends.
	o.again, o.election.ContendAgain = o.election.ContendAgain, false
	return o, o.complete()
}

// complete checks the options against each other, and fills in what follows.
func (o *options) complete() error {
	switch {
	case !o.election.LeaderElect:
		return errors.New("-leader-elect=false: elect does nothing else; run the command by itself")
	case o.election.ResourceName == "":
		return errors.New(`-lease="": must be the name of the Lease`)
	case o.grace < 0:
		return fmt.Errorf("-grace=%v: must not be negative; 0s kills at once", o.grace)
	case o.election.StopTimeout.Duration == 0:
		o.election.StopTimeout.Duration = o.grace + releasing
	case o.election.StopTimeout.Duration <= o.grace:
		return fmt.Errorf("-leader-elect-stop-timeout=%v: must be more than -grace=%v, or the lease is not released", o.election.StopTimeout.Duration, o.grace)
	}
	if o.address != "" {
		if _, _, err := net.SplitHostPort(o.address); err != nil {
			return fmt.Errorf("-address=%q: %w", o.address, err)
		}
	}
	if err := o.election.Validate(); err != nil {
		return fmt.Errorf("the flags -lease, -namespace and -leader-elect-…: %w", err)
	}
	return nil
}

// lease is namespace/name.
func (o *options) lease() string {
	return o.election.ResourceNamespace + "/" + o.election.ResourceName
}

// namespaceFile is where the kubelet says the namespace of a Pod that has a token.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// ownNamespace returns the namespace of the Pod, "default" outside of one.
func ownNamespace() string {
	if namespace := os.Getenv("POD_NAMESPACE"); namespace != "" {
		return namespace
	}
	if content, err := os.ReadFile(namespaceFile); err == nil && len(content) > 0 {
		return strings.TrimSpace(string(content))
	}
	return "default"
}
