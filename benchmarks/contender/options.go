package contender

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
)

// Options say what one contender does. All but Etcd, Mode, ReleaseOnCancel,
// WorkStop, ContendAgain and OwnDial must be set.
type Options struct {
	// Peer is the implementation that contends, one of Peers.
	Peer string
	// Identity is what the contender is called in the Lease and in its events.
	Identity string
	// Namespace and Lease name the Lease.
	Namespace, Lease string
	// Kubeconfig is the path of the file that says where the API is.
	Kubeconfig string
	// Etcd is the URL of etcd, for a peer that contends there; the others leave
	// it alone.
	Etcd string

	// Timing is the elector's.
	Timing Timing

	// Mode is how the connections of the lock die in time. Zero is
	// dialer.KeepConnections. Peers without modes accept only zero.
	Mode dialer.Mode
	// ReleaseOnCancel makes a leader that is told to stop release the lease.
	ReleaseOnCancel bool
	// WorkStop is how long the guarded work takes to return once its context is
	// cancelled. Zero: it returns at once.
	WorkStop time.Duration
	// ContendAgain makes a contender that lost the lease contend again with a
	// new elector, instead of exiting as most controllers do.
	ContendAgain bool
	// OwnDial gives the configuration a Dial function, the one of that name.
	OwnDial bool
}

// Parse reads Options from command line arguments. Its error names the flag
// and its value; for -h it is flag.ErrHelp. Usage goes to usage.
func Parse(args []string, usage io.Writer) (Options, error) {
	o := Options{Timing: Timing{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}}
	flags := flag.NewFlagSet("contender", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.Peer, "peer", "", "implementation that contends: "+strings.Join(Peers(), " or "))
	flags.StringVar(&o.Identity, "identity", "", "name in the Lease and in the events")
	flags.StringVar(&o.Namespace, "namespace", "default", "namespace of the Lease")
	flags.StringVar(&o.Lease, "lease", "", "name of the Lease")
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "path of the kubeconfig")
	flags.StringVar(&o.Etcd, "etcd", "", "URL of etcd, which peer etcd needs")
	o.Timing.Flags(flags, "lease-duration", "renew-deadline", "retry-period")
	flags.TextVar(&o.Mode, "mode", dialer.KeepConnections, "how the lock's connections die in time: keep-connections or new-connections")
	flags.BoolVar(&o.ReleaseOnCancel, "release-on-cancel", false, "release the lease when told to stop")
	flags.DurationVar(&o.WorkStop, "work-stop", 0, "how long the guarded work takes to stop")
	flags.BoolVar(&o.ContendAgain, "contend-again", false, "contend again after the lease was lost, instead of exiting")
	flags.BoolVar(&o.OwnDial, "own-dial", false, "give the configuration a Dial function")
	if err := flags.Parse(args); err != nil {
		return Options{}, err
	}
	if flags.NArg() > 0 {
		return Options{}, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	return o, o.Validate()
}

// Validate says which field cannot be used. The relations between the three
// durations are the elector's to check.
func (o Options) Validate() error {
	for _, needed := range []struct{ flag, value string }{
		{"-identity", o.Identity}, {"-namespace", o.Namespace}, {"-lease", o.Lease}, {"-kubeconfig", o.Kubeconfig},
	} {
		if needed.value == "" {
			return fmt.Errorf("%s is empty: it must be set", needed.flag)
		}
	}
	p, known := peers[o.Peer]
	if !known {
		return fmt.Errorf("-peer %q: must be one of %s", o.Peer, strings.Join(Peers(), ", "))
	}
	if p.etcd && o.Etcd == "" {
		return fmt.Errorf("-etcd is empty: peer %s needs the URL of etcd", o.Peer)
	}
	if o.Mode != dialer.KeepConnections && !p.modes {
		return fmt.Errorf("-mode %v: peer %s has no modes", o.Mode, o.Peer)
	}
	if o.WorkStop < 0 {
		return fmt.Errorf("-work-stop %v: must not be negative", o.WorkStop)
	}
	return nil
}

// Args returns the command line arguments that Parse reads as o.
func (o Options) Args() []string {
	return slices.Concat(
		[]string{
			"-peer", o.Peer, "-identity", o.Identity, "-namespace", o.Namespace, "-lease", o.Lease, "-kubeconfig", o.Kubeconfig, "-etcd", o.Etcd,
			"-lease-duration", o.Timing.LeaseDuration.String(), "-renew-deadline", o.Timing.RenewDeadline.String(), "-retry-period", o.Timing.RetryPeriod.String(),
			"-mode", o.Mode.String(), "-work-stop", o.WorkStop.String(),
		},
		[]string{
			"-release-on-cancel=" + strconv.FormatBool(o.ReleaseOnCancel),
			"-contend-again=" + strconv.FormatBool(o.ContendAgain),
			"-own-dial=" + strconv.FormatBool(o.OwnDial),
		},
	)
}
