package matrix

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// probeMarker is the environment variable that turns a program that calls Main
// into a probe.
const probeMarker = "HOLDFAST_MATRIX_PROBE"

// The exit codes of a probe.
const (
	exitOK    = 0
	exitUsage = 2
	exitSetup = 3
)

// probeOptions say what one probe does.
type probeOptions struct {
	column     Column
	kubeconfig string
	// object is the Lease or ConfigMap in the matrix's namespace.
	object string
	timing scenario.Timing
	// plain leaves client-go's traffic as it is.
	plain bool
	// ownDial gives the configuration a Dial function, as a user may.
	ownDial bool
}

// args are the command line arguments that parseProbe reads as o.
func (o probeOptions) args() []string {
	return []string{
		"-role", string(o.column.Role), "-mode", o.column.Mode, "-kubeconfig", o.kubeconfig, "-object", o.object,
		"-timing", o.timing.String(),
		"-plain=" + strconv.FormatBool(o.plain), "-own-dial=" + strconv.FormatBool(o.ownDial),
	}
}

func parseProbe(args []string, usage io.Writer) (probeOptions, error) {
	var o probeOptions
	var role string
	flags := flag.NewFlagSet("probe", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&role, "role", "", "watch, informer or writer")
	flags.StringVar(&o.column.Mode, "mode", "", "mode of the column")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "path of the kubeconfig")
	flags.StringVar(&o.object, "object", "", "name of the Lease or ConfigMap")
	flags.TextVar(&o.timing, "timing", scenario.Short, "of the election")
	flags.BoolVar(&o.plain, "plain", false, "do not harden client-go's traffic")
	flags.BoolVar(&o.ownDial, "own-dial", false, "give the configuration a Dial function")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.column.Role = Role(role)
	if _, known := probes[o.column.Role]; !known || !slices.Contains(Columns(), o.column) {
		return o, fmt.Errorf("-role %q -mode %q: there is no such probe", role, o.column.Mode)
	}
	if o.object == "" || o.kubeconfig == "" {
		return o, fmt.Errorf("-object %q -kubeconfig %q: both must be set", o.object, o.kubeconfig)
	}
	return o, nil
}

// probeCommand returns what starts the running program once more, as the probe.
func probeCommand(o probeOptions) (path string, args, env []string, err error) {
	path, err = os.Executable()
	if err != nil {
		return "", nil, nil, fmt.Errorf("find the program to start as probe %s: %w", o.column, err)
	}
	return path, o.args(), []string{probeMarker + "=1"}, nil
}

// Main returns at once in a program that was started as itself. In one that a
// matrix has started as a contender or probe it is that, and exits. Call it
// first in main or TestMain, before flags are parsed.
func Main() {
	useNameserver()
	contender.Main()
	if os.Getenv(probeMarker) == "" {
		return
	}
	code := probeProgram(os.Args[1:])
	klog.Flush()
	os.Exit(code)
}

func probeProgram(args []string) int {
	o, err := parseProbe(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err == nil {
		if o.ownDial {
			config.Dial = contender.OwnDial
		}
		err = probes[o.column.Role](ctx, o, config, &voice{who: o.column.name(), out: event.NewWriter(os.Stdout), broken: stop})
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "probe %s: %v\n", o.column, err)
		return exitSetup
	}
	return exitOK
}

// probes are what the roles without an election of their own do until ctx ends.
var probes = map[Role]func(ctx context.Context, o probeOptions, config *rest.Config, says *voice) error{
	Watch: watchLease, Informer: inform, Writer: writeOn,
}

// voice writes the events of one probe. A stream that cannot be written ends
// the probe, since a gap in it would give wrong figures.
type voice struct {
	who    string
	out    *event.Writer
	broken func()
}

func (v *voice) say(e event.Event) {
	e.Who = v.who
	if v.out.Write(e) != nil {
		v.broken()
	}
}
