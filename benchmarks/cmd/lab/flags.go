package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/dialer"
)

// command is what the command line asks for.
type command struct {
	list    bool
	measure string
	events  string
	keep    bool
	n       int

	scenarios []scenario.Scenario
	options   scenario.Options // who contends: a peer, or a program
	beside    []string         // peers that contend beside a program
	rights    string
}

// everyScenario is what -scenario takes in place of their names.
const everyScenario = "all"

const description = `lab plays faults to two contenders in a laboratory of three kube-apiservers.

    lab -scenario kill                            peers that the laboratory has itself
    lab -program ./my-operator -args "…" -lease default/my-operator -scenario node-death -n 5
                                                  any program that elects through a Lease

Two copies of the program run, each on a host of its own, whose name, contender-1 or
contender-2, is the host name. KUBECONFIG is the path of a kubeconfig. In -args
{kubeconfig} stands for it, and {identity} for the host's name.

`

// parse reads the command line. Its error names the flag and its value; for -h
// it is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	var c command
	var p scenario.Program
	var names, lease string
	var verbose bool
	o := &c.options

	flags := program.NewFlags("lab", usage)
	flags.Usage = func() {
		fmt.Fprint(usage, description)
		flags.PrintDefaults()
	}
	flags.BoolVar(&c.list, "list", false, "list the scenarios and peers, and exit")
	flags.StringVar(&names, "scenario", "", "what to play, of those of -list, divided by commas, or "+everyScenario)
	program.Flag(flags, &o.Peer, "peer", "holdfast", "who contends: "+strings.Join(contender.Peers(), " or "), program.Among(contender.Peers()...))
	flags.StringVar(&p.Path, "program", "", "`path` of a program that contends in place of a peer: the program itself, not a script that starts it")
	flags.Func("args", "arguments of the program, divided by white space; may be given several times, and what follows a lone -- is added as it is", func(text string) error {
		p.Args = append(p.Args, strings.Fields(text)...)
		return nil
	})
	flags.StringVar(&lease, "lease", "", "the Lease that the program elects through, as `NAMESPACE/NAME`")
	flags.StringVar(&c.rights, "rights", "", "`file` with the roles and bindings of the program, which then has these rights; without it, it may do everything")
	usesAPI := slices.DeleteFunc(contender.Peers(), func(p string) bool { return !contender.UsesAPI(p) })
	program.Flag(flags, &c.beside, "beside", "client-go,holdfast", "peers that contend beside the program, with its timing, for comparison; may be empty", program.List(program.Among(usesAPI...)))
	flags.Func("timing", fmt.Sprintf("lease/renew deadline/retry period of the peers, %v if it is not set; beside a program it is read from the program's Lease", scenario.Short), func(text string) error {
		return o.Timing.UnmarshalText([]byte(text))
	})
	flags.TextVar(&o.Mode, "mode", dialer.KeepConnections, "how the lock's connections die in time: keep-connections or new-connections")
	program.Duration(flags, &o.WorkStop, "work-stop", 0, 0, "how long the guarded work takes to stop")
	flags.BoolVar(&o.WithoutWatch, "no-watch", false, "do not let the contenders watch the Lease")
	program.Int(flags, &c.n, "n", 1, 1, "how many times to play it")
	flags.StringVar(&c.events, "events", "", "file to save the events to, as JSON lines")
	flags.StringVar(&c.measure, "measure", "", "measure this file of saved events instead of playing; -timing must be as it was")
	flags.BoolVar(&c.keep, "keep", false, "keep the laboratory's logs")
	flags.BoolVar(&verbose, "v", false, "show what the contenders log")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	if verbose {
		o.Stderr = os.Stderr
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if p.Path == "" {
		return c, c.ofPeer(names, given, flags.Args())
	}
	p.Args = append(p.Args, flags.Args()...)
	return c, c.ofProgram(p, names, lease, given)
}

// ofPeer is the rest of a command line without -program.
func (c *command) ofPeer(names string, given map[string]bool, rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("argument %q: there are only flags", rest[0])
	}
	for _, name := range []string{"args", "lease", "rights", "beside"} {
		if given[name] {
			return fmt.Errorf("-%s: it is of a program: -program must be set", name)
		}
	}
	if c.options.Timing == (scenario.Timing{}) {
		c.options.Timing = scenario.Short
	}
	if c.list || c.measure != "" {
		return nil
	}
	if o := c.options; !contender.HasModes(o.Peer) && o.Mode != dialer.KeepConnections {
		return fmt.Errorf("-mode %v: peer %s has no modes", o.Mode, o.Peer)
	}
	return c.play(names)
}

// ofProgram is the rest of a command line with -program.
func (c *command) ofProgram(p scenario.Program, names, lease string, given map[string]bool) (err error) {
	for _, name := range []string{"peer", "mode", "work-stop", "no-watch", "list", "measure"} {
		if given[name] {
			return fmt.Errorf("-%s: it does not go with -program", name)
		}
	}
	if p.Path, err = runnable(p.Path); err != nil {
		return err
	}
	var ok bool
	p.Name = filepath.Base(p.Path)
	if p.Namespace, p.Lease, ok = strings.Cut(lease, "/"); !ok || p.Namespace == "" || p.Lease == "" || strings.Contains(p.Lease, "/") {
		return fmt.Errorf("-lease %q: must be NAMESPACE/NAME of the Lease that %s elects through, such as kube-system/kube-controller-manager", lease, p.Name)
	}
	if c.rights != "" {
		p.Restricted = true
		if _, err := os.Stat(c.rights); err != nil {
			return fmt.Errorf("-rights: %w", err)
		}
	}
	c.options.Program, c.options.Peer = &p, ""
	return c.play(names)
}

// play finds what is to be played.
func (c *command) play(names string) error {
	switch names {
	case "":
		return errors.New("-scenario is empty: it must be one of those of -list")
	case everyScenario:
		c.scenarios = scenario.All()
		return nil
	}
	for name := range strings.SplitSeq(names, ",") {
		s, err := scenario.Find(name)
		if err != nil {
			return fmt.Errorf("-scenario: %w", err)
		}
		c.scenarios = append(c.scenarios, s)
	}
	return nil
}

// runnable returns the absolute path of a program that can be run.
func runnable(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", fmt.Errorf("-program %q: it must be a program that can be run: %w", name, err)
	}
	return filepath.Abs(path)
}
