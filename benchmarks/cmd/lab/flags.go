package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
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

	scenario scenario.Scenario
	options  scenario.Options
}

// parse reads the command line. Its error names the flag and its value; for -h
// it is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	var c command
	var name string
	var verbose bool
	o := &c.options
	o.Timing = scenario.Short

	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.BoolVar(&c.list, "list", false, "list the scenarios and peers, and exit")
	flags.StringVar(&name, "scenario", "", "what to play, one of those of -list")
	flags.StringVar(&o.Peer, "peer", "holdfast", "who contends: "+strings.Join(contender.Peers(), " or "))
	flags.DurationVar(&o.Timing.LeaseDuration, "lease", o.Timing.LeaseDuration, "lease duration")
	flags.DurationVar(&o.Timing.RenewDeadline, "renew", o.Timing.RenewDeadline, "renew deadline")
	flags.DurationVar(&o.Timing.RetryPeriod, "retry", o.Timing.RetryPeriod, "retry period")
	flags.TextVar(&o.Mode, "mode", dialer.KeepConnections, "how the lock's connections die in time: keep-connections or new-connections")
	flags.DurationVar(&o.WorkStop, "work-stop", 0, "how long the guarded work takes to stop")
	flags.BoolVar(&o.WithoutWatch, "no-watch", false, "do not let the contenders watch the Lease")
	flags.IntVar(&c.n, "n", 1, "how many times to play it")
	flags.StringVar(&c.events, "events", "", "file to save the events to, as JSON lines")
	flags.StringVar(&c.measure, "measure", "", "measure this file of saved events instead of playing; -retry must be as it was")
	flags.BoolVar(&c.keep, "keep", false, "keep the laboratory's logs")
	flags.BoolVar(&verbose, "v", false, "show what the contenders log")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	if verbose {
		o.Stderr = os.Stderr
	}
	return c, c.resolve(name, flags.Args())
}

// resolve finds what the flags name and says which of them cannot be used.
func (c *command) resolve(name string, rest []string) (err error) {
	o := c.options
	switch {
	case len(rest) > 0:
		return fmt.Errorf("argument %q: there are only flags", rest[0])
	case o.Timing.RetryPeriod <= 0:
		return fmt.Errorf("-retry %v: must be positive", o.Timing.RetryPeriod)
	case c.list || c.measure != "":
		return nil
	case name == "":
		return errors.New("-scenario is empty: it must be one of those of -list")
	}
	if c.scenario, err = scenario.Find(name); err != nil {
		return fmt.Errorf("-scenario: %w", err)
	}
	switch {
	case !slices.Contains(contender.Peers(), o.Peer):
		return fmt.Errorf("-peer %q: must be one of %s", o.Peer, strings.Join(contender.Peers(), ", "))
	case !contender.HasModes(o.Peer) && o.Mode != dialer.KeepConnections:
		return fmt.Errorf("-mode %v: peer %s has no modes", o.Mode, o.Peer)
	case o.Timing.RenewDeadline <= o.Timing.RetryPeriod:
		return fmt.Errorf("-renew %v: must be greater than -retry %v", o.Timing.RenewDeadline, o.Timing.RetryPeriod)
	case o.Timing.LeaseDuration <= o.Timing.RenewDeadline:
		return fmt.Errorf("-lease %v: must be greater than -renew %v", o.Timing.LeaseDuration, o.Timing.RenewDeadline)
	case o.WorkStop < 0:
		return fmt.Errorf("-work-stop %v: must not be negative", o.WorkStop)
	case c.n < 1:
		return fmt.Errorf("-n %d: must be at least 1", c.n)
	}
	return nil
}
