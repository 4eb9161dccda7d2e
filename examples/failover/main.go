// Failover shows what becomes of leader election when connections die.
//
//	go run ./examples/failover
//	go run ./examples/failover -page 127.0.0.1:8080
//
// The first plays four faults in the terminal. The second serves a page, on this
// machine only, that draws contenders, endpoints, connections and terms as they
// change, with a button for each fault, one for the incident, and one that rolls both
// fleets out; it runs until it is interrupted.
//
// Both need nothing but Go, and the first takes about a minute. They start an
// in-memory Lease API (TLS, HTTP/1.1 and HTTP/2) as three endpoints behind one
// address, which picks one of them at random for each new connection as a Service
// does. Two contenders of this library and two of client-go elect their leaders
// on it side by side, with the same durations. Then things break: see -scenario.
//
// Every figure of the closing table is computed from recorded events: when
// guarded work started and stopped, and what the API committed.
//
// # What a demonstration on loopback can and cannot show
//
// A dead peer is one that says nothing: the kernel still acknowledges what is
// sent to it. So TCP never notices by itself, and TCP_USER_TIMEOUT, which this
// library sets, never fires; what is seen here is the effect of second attempts
// on new connections. The address stops naming the dead endpoint at once, which
// is the best case for everyone; the page has a switch that makes it slow. The
// laboratory in benchmarks has real
// kube-apiservers, real packet loss, and an address that is slow to notice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1 // a scenario could not be played
	exitUsage   = 2
	exitStopped = 130 // interrupted; the table shows what was seen until then
)

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	o, verbose, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "failover: %v (-h explains the flags)\n", err)
		return exitUsage
	}
	if !verbose {
		klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the process the hard way.
	context.AfterFunc(ctx, stop)

	if o.page != "" {
		if err := serve(ctx, o, stdout); err != nil {
			fmt.Fprintf(stderr, "failover: %v\n", err)
			return exitFailed
		}
		return exitOK
	}
	err = show(ctx, o, stdout)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "failover: %v\n", err)
		return exitFailed
	case ctx.Err() != nil:
		return exitStopped
	}
	return exitOK
}

// show plays the scenarios of o with a timeline on out, and the table last.
func show(ctx context.Context, o options, out io.Writer) error {
	p := paintFor(out)
	fmt.Fprintf(out, "Two fleets of two contenders, one lease each: lease %v, renew deadline %v, retry period %v.\n", o.lease, o.renew, o.retry)
	for _, s := range o.scenarios {
		fmt.Fprintf(out, "  %-8s  %s\n", s.name, s.title)
	}
	fmt.Fprintf(out, "Ctrl-C ends it and shows the table so far.\n\n")

	j := newJournal()
	t := &timeline{out: out, paint: p, o: o, journal: j, start: time.Now()}
	following, done := context.WithCancel(context.Background())
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		t.follow(following)
	}()
	err := play(ctx, o, j)
	done()
	<-shown

	if ctx.Err() != nil {
		fmt.Fprintf(out, "\nInterrupted after %s; until then:\n", seconds(time.Since(t.start)))
	}
	fmt.Fprintln(out)
	writeTable(out, p, results(o, j, time.Now()), o.lease)
	fmt.Fprintln(out)
	for _, note := range notes(o) {
		fmt.Fprintln(out, p.dim(note))
	}
	return err
}

// notes explain the table.
func notes(o options) []string {
	return []string{
		"The lease ends at renewTime of its last committed renewal plus its duration. \"no leader\" and \"two leaders\" are how",
		"long guarded work of none, and of both, ran between the fault and the end of the scenario. A process that loses its",
		fmt.Sprintf("lease exits and is started again %v later, with new connections.", o.restart),
	}
}

// Defaults: the shortest round figures with which the durations keep the usual
// proportions of 15 s, 10 s and 2 s and every takeover that only has to wait for
// the lease is over while client-go still waits for its dead connection. That
// takes it 45 s whatever the lease is, so all of it takes about a minute.
const (
	defaultLease = 6 * time.Second
	defaultRenew = 4 * time.Second
	defaultRetry = time.Second
	// restartAfter is about what a container takes to come back.
	restartAfter = 2 * time.Second
	// deadConnection is how long client-go may use a dead HTTP/2 connection: it
	// pings after 30 s of silence and waits 15 s for the answer.
	deadConnection = 45 * time.Second
)

// parse reads the command line. Errors name the flag, its value and what it has
// to be. Where help is asked for it goes to out, and the error is flag.ErrHelp.
func parse(args []string, out io.Writer) (o options, verbose bool, err error) {
	flags := flag.NewFlagSet("failover", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.DurationVar(&o.lease, "lease", defaultLease, "lease `duration`, in whole seconds")
	flags.DurationVar(&o.renew, "renew", defaultRenew, "renew deadline, less than -lease")
	flags.DurationVar(&o.retry, "retry", defaultRetry, "retry period, less than -renew / 1.2")
	chosen := flags.String("scenario", "all", "`names` of the scenarios to play, separated by commas: all, or any of "+scenarioNames())
	flags.StringVar(&o.page, "page", "", "serve a page on this loopback `address`, 127.0.0.1:8080 say, until interrupted; durations are then "+
		pageTiming.String()+" unless given")
	flags.BoolVar(&verbose, "v", false, "also show what the libraries log, on standard error")
	flags.Usage = func() {}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		usage(out, flags)
		return o, false, err
	} else if err != nil {
		return o, false, err
	}
	if flags.NArg() > 0 {
		return o, false, fmt.Errorf("unexpected argument %q: there are only flags", flags.Arg(0))
	}
	if o.page != "" {
		if err := o.forPage(flags); err != nil {
			return o, false, err
		}
	}
	if err := o.timing.check(); err != nil {
		return o, false, err
	}
	if o.scenarios, err = choose(*chosen); err != nil {
		return o, false, err
	}
	o.restart = restartAfter
	o.patience = deadConnection + 15*time.Second + 3*o.lease
	return o, verbose, nil
}

// usage explains the flags and the scenarios.
func usage(out io.Writer, flags *flag.FlagSet) {
	fmt.Fprintf(out, "Failover shows what becomes of leader election when connections die.\n\nUsage: failover [flags]\n\n")
	flags.SetOutput(out)
	flags.PrintDefaults()
	fmt.Fprintf(out, "\nScenarios:\n")
	for _, s := range scenarios {
		fmt.Fprintf(out, "  %-8s  %s\n", s.name, s.title)
	}
}

// choose finds the scenarios by their names, in the order of the list.
func choose(list string) ([]scenario, error) {
	if list == "all" {
		return scenarios, nil
	}
	var all []scenario
	seen := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		s, ok := scenarioNamed(name)
		if !ok {
			return nil, fmt.Errorf("-scenario %q: no scenario %q, must be all or any of %s", list, name, scenarioNames())
		}
		if !seen[name] {
			seen[name] = true
			all = append(all, s)
		}
	}
	return all, nil
}
