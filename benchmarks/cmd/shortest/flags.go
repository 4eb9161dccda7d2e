package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/shortest"
)

// command is what the command line asks for.
type command struct {
	peers   []string
	options shortest.Options
	longest time.Duration
	confirm int
	// together is how many leases of each peer are in one trial.
	together int
	out      string
}

// parse reads the command line. Its error names the flag and its value; for -h
// it is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	var c command
	flags := flag.NewFlagSet("shortest", flag.ContinueOnError)
	flags.SetOutput(usage)
	peers := flags.String("peers", strings.Join(contender.Compared(), ","), "who to try, separated by commas")
	flags.DurationVar(&c.options.Window, "window", 10*time.Minute, "how long one trial lasts; less than three silences and pauses says little")
	flags.DurationVar(&c.options.Silence, "silence", time.Minute, "how long each API server is silent")
	flags.DurationVar(&c.options.Pause, "pause", 10*time.Second, "how long there is peace once it serves again")
	flags.DurationVar(&c.longest, "longest", 2*time.Minute, "longest lease to try")
	flags.IntVar(&c.confirm, "confirm", 2, "how many trials the lease that is found must hold, the one that found it included")
	flags.IntVar(&c.together, "together", 4, "how many leases of each peer are in one trial")
	flags.StringVar(&c.out, "o", "", "file for the results, which must not exist; empty: only the trials on standard output")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	if flags.NArg() > 0 {
		return command{}, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	c.peers = strings.Split(*peers, ",")
	return c, c.validate()
}

func (c command) validate() error {
	for _, peer := range c.peers {
		if !slices.Contains(contender.Peers(), peer) {
			return fmt.Errorf("-peers: %q is none of %s", peer, strings.Join(contender.Peers(), ", "))
		}
	}
	switch {
	case c.options.Window <= 0:
		return fmt.Errorf("-window %v: must be positive", c.options.Window)
	case c.options.Silence <= 0:
		return fmt.Errorf("-silence %v: must be positive", c.options.Silence)
	case c.options.Pause < 0:
		return fmt.Errorf("-pause %v: must not be negative", c.options.Pause)
	case c.longest < time.Second:
		return fmt.Errorf("-longest %v: must be at least 1s", c.longest)
	case c.together < 1:
		return fmt.Errorf("-together %d: must be at least 1", c.together)
	case c.confirm < 1:
		return fmt.Errorf("-confirm %d: must be at least 1", c.confirm)
	}
	return nil
}

// refuses returns what says which durations the peer cannot contend with, or
// would silently change.
func refuses(peer string) func(scenario.Timing) error {
	return func(t scenario.Timing) error {
		return contender.Refuses(contender.Options{
			Peer: peer, LeaseDuration: t.LeaseDuration, RenewDeadline: t.RenewDeadline, RetryPeriod: t.RetryPeriod,
		})
	}
}
