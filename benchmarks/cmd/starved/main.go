// Command starved measures, beside client-go, what electors do when the leader's
// process, the standby's or the API server is short of CPU: see package starved.
//
//	go run ./cmd/starved -o starved.md
//	go run ./cmd/starved -percent 2 -starved leader -crowds "" -n 4
//
// It needs Linux, control groups and root. The peers run one after the other in
// each row, n times in turn.
//
// Exit codes: 0 when everything was measured and written; 1 when something could
// not be measured; 2 for a flag that cannot be used.
package main

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
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/starved"
)

func main() {
	starved.Main()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "starved:", err)
		os.Exit(2)
	}
	if err := c.run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "starved:", err)
		os.Exit(1)
	}
}

// command is what the command line asks for.
type command struct {
	peers    []string
	percents []float64
	who      []starved.Who
	crowds   []int
	options  starved.Options
	n        int
	out      string
}

// parse reads the command line. Its error names the flag and its value; for -h it
// is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	var c command
	flags := flag.NewFlagSet("starved", flag.ContinueOnError)
	flags.SetOutput(usage)
	peers := flags.String("peers", "holdfast,client-go", "who to measure, separated by commas")
	percents := flags.String("percent", "1,2,3,5,10", "quotas in per cent of one CPU")
	who := flags.String("starved", "leader,standby,server", "who is short of CPU")
	crowds := flags.String("electors", "1,100", "how many electors each of the two processes has")
	leases := flags.Int("leases", 50, "how many leases a crowd contends for, at most one for each elector")
	flags.DurationVar(&c.options.LeaseDuration, "lease", 3*time.Second, "lease duration")
	flags.DurationVar(&c.options.RenewDeadline, "renew", 2*time.Second, "renew deadline")
	flags.DurationVar(&c.options.RetryPeriod, "retry", 500*time.Millisecond, "retry period")
	flags.DurationVar(&c.options.Window, "window", 20*time.Second, "how long to measure")
	flags.IntVar(&c.n, "n", 1, "how often")
	flags.StringVar(&c.out, "o", "", "file for the table, which must not exist; empty: standard output alone")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	if flags.NArg() > 0 {
		return command{}, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	for peer := range strings.SplitSeq(*peers, ",") {
		if !slices.Contains(contender.Peers(), peer) {
			return command{}, fmt.Errorf("-peers: %q is none of %s", peer, strings.Join(contender.Peers(), ", "))
		}
		c.peers = append(c.peers, peer)
	}
	for p := range strings.SplitSeq(*percents, ",") {
		percent, err := strconv.ParseFloat(p, 64)
		if err != nil || percent < 1 || percent > 100 {
			return command{}, fmt.Errorf("-percent: %q must be a number from 1 to 100", p)
		}
		c.percents = append(c.percents, percent)
	}
	for w := range strings.SplitSeq(*who, ",") {
		if !slices.Contains([]starved.Who{starved.Leader, starved.Standby, starved.Server}, starved.Who(w)) {
			return command{}, fmt.Errorf("-starved: %q must be leader, standby or server", w)
		}
		c.who = append(c.who, starved.Who(w))
	}
	for e := range strings.SplitSeq(*crowds, ",") {
		electors, err := strconv.Atoi(e)
		if err != nil || electors < 1 {
			return command{}, fmt.Errorf("-electors: %q must be a number of at least 1", e)
		}
		c.crowds = append(c.crowds, electors)
	}
	c.options.Leases = *leases
	switch {
	case *leases < 1:
		return command{}, fmt.Errorf("-leases %d: must be at least 1", *leases)
	case c.options.Window <= 0:
		return command{}, fmt.Errorf("-window %v: must be positive", c.options.Window)
	case c.n < 1:
		return command{}, fmt.Errorf("-n %d: must be at least 1", c.n)
	}
	for _, peer := range c.peers {
		o := c.options
		if err := contender.Refuses(contender.Options{Peer: peer, LeaseDuration: o.LeaseDuration, RenewDeadline: o.RenewDeadline, RetryPeriod: o.RetryPeriod}); err != nil {
			return command{}, fmt.Errorf("%s: %w", peer, err)
		}
	}
	return c, nil
}

// run measures all and writes the table.
func (c command) run(ctx context.Context, out io.Writer) (err error) {
	if c.out != "" {
		file, err := os.OpenFile(c.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("-o: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = io.MultiWriter(out, file)
	}
	fmt.Fprintf(out, "Lease %v, renew deadline %v, retry period %v; %v each, n = %d.\n\n", c.options.LeaseDuration, c.options.RenewDeadline, c.options.RetryPeriod, c.options.Window, c.n)
	fmt.Fprintln(out, "| electors, leases | starved | CPU | peer | terms lost | time led | writes |\n|---|---|---|---|---|---|---|")
	var failed error
	for _, electors := range c.crowds {
		for _, who := range c.who {
			for _, percent := range c.percents {
				failed = errors.Join(failed, c.row(ctx, out, electors, who, percent))
			}
		}
	}
	return failed
}

// row measures each peer n times, in turn.
func (c command) row(ctx context.Context, out io.Writer, electors int, who starved.Who, percent float64) error {
	o := c.options
	o.Electors, o.Starved, o.Percent, o.Leases = electors, who, percent, min(c.options.Leases, electors)
	sums := make(map[string]starved.Result)
	for range c.n {
		for _, o.Peer = range c.peers {
			r, err := starved.Measure(ctx, o)
			if err != nil {
				return fmt.Errorf("%d electors, %s starved at %g %%: %w", electors, who, percent, err)
			}
			sum := sums[o.Peer]
			sums[o.Peer] = starved.Result{Lost: sum.Lost + r.Lost, Led: sum.Led + r.Led, Commits: sum.Commits + r.Commits}
		}
	}
	for _, peer := range c.peers {
		sum := sums[peer]
		fmt.Fprintf(out, "| %d, %d | %s | %g %% | %s | %d | %.1f %% | %d |\n", electors, o.Leases, who, percent, peer, sum.Lost, 100*sum.Led/float64(c.n), sum.Commits)
	}
	return nil
}
