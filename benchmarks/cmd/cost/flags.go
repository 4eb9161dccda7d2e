package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/cost"
)

// command is what the command line asks for.
type command struct {
	peers              []string
	contenders, leases []int
	options            cost.Options
	out                string
	limit              time.Duration
}

// parse reads the command line. Its error names the flag and its value; for -h
// it is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	var c command
	flags := flag.NewFlagSet("cost", flag.ContinueOnError)
	flags.SetOutput(usage)
	peers := flags.String("peers", strings.Join(contender.Compared(), ","), "who to measure, separated by commas")
	contenders := flags.String("contenders", "2,10,100,1000", "how many contend for one lease; empty: none")
	leases := flags.String("leases", "1,10,100,1000", "how many leases one process holds; empty: none")
	flags.DurationVar(&c.options.LeaseDuration, "lease", 15*time.Second, "lease duration")
	flags.DurationVar(&c.options.RenewDeadline, "renew", 10*time.Second, "renew deadline")
	flags.DurationVar(&c.options.RetryPeriod, "retry", 2*time.Second, "retry period")
	flags.DurationVar(&c.options.Window, "window", time.Minute, "how long to measure; less than 30s says little")
	flags.DurationVar(&c.options.Settle, "settle", 3*time.Minute, "how long contenders may take to settle")
	flags.IntVar(&c.options.Processes, "processes", 20, "the most processes that standbys are spread over")
	flags.DurationVar(&c.limit, "for", 0, "begin no measurement after this time; 0: no limit")
	flags.StringVar(&c.out, "o", "", "file for the results, which must not exist; empty: only the table")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	if flags.NArg() > 0 {
		return command{}, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	var err error
	if c.contenders, err = numbers(*contenders, 2); err != nil {
		return command{}, fmt.Errorf("-contenders %q: %w", *contenders, err)
	}
	if c.leases, err = numbers(*leases, 1); err != nil {
		return command{}, fmt.Errorf("-leases %q: %w", *leases, err)
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
	o := c.options
	switch {
	case o.RetryPeriod <= 0:
		return fmt.Errorf("-retry %v: must be positive", o.RetryPeriod)
	case o.RenewDeadline <= o.RetryPeriod:
		return fmt.Errorf("-renew %v: must be greater than -retry %v", o.RenewDeadline, o.RetryPeriod)
	case o.LeaseDuration <= o.RenewDeadline:
		return fmt.Errorf("-lease %v: must be greater than -renew %v", o.LeaseDuration, o.RenewDeadline)
	case o.Window <= 0:
		return fmt.Errorf("-window %v: must be positive", o.Window)
	case o.Settle <= 0:
		return fmt.Errorf("-settle %v: must be positive", o.Settle)
	case o.Processes < 1:
		return fmt.Errorf("-processes %d: must be at least 1", o.Processes)
	case c.limit < 0:
		return fmt.Errorf("-for %v: must not be negative; 0 is no limit", c.limit)
	case len(c.contenders)+len(c.leases) == 0:
		return fmt.Errorf("-contenders and -leases are both empty: there is nothing to measure")
	}
	return nil
}

// numbers reads a list of numbers of at least least, ascending.
func numbers(list string, least int) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var all []int
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if n < least {
			return nil, fmt.Errorf("%d: must be at least %d", n, least)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
