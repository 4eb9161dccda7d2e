// Command starved measures, beside client-go, what electors do when the leader's
// process, the standby's or the API server is short of CPU: see package starved.
//
//	go run ./cmd/starved -o starved.md
//	go run ./cmd/starved -percent 2 -starved leader -electors 1 -n 4
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
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/starved"
)

func main() {
	starved.Main()
	program.Main("starved", parse, func(c command) program.Action { return program.Action{Run: c.run} })
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
	c.options.Timing = scenario.Short
	flags := program.NewFlags("starved", usage)
	program.Flag(flags, &c.peers, "peers", "holdfast,client-go", "who to measure, separated by commas", program.Some(program.Among(contender.Peers()...)))
	program.Flag(flags, &c.percents, "percent", "1,2,3,5,10", "quotas in per cent of one CPU", program.Some(percent))
	program.Flag(flags, &c.who, "starved", "leader,standby,server", "who is short of CPU", program.Some(program.Among(starved.Leader, starved.Standby, starved.Server)))
	program.Flag(flags, &c.crowds, "electors", "1,100", "how many electors each of the two processes has", program.Some(program.Number(1)))
	program.Int(flags, &c.options.Leases, "leases", 50, 1, "how many leases a crowd contends for, at most one for each elector")
	c.options.Timing.Flags(flags, "lease", "renew", "retry")
	program.Duration(flags, &c.options.Window, "window", 20*time.Second, 1, "how long to measure")
	program.Int(flags, &c.n, "n", 1, 1, "how often")
	flags.StringVar(&c.out, "o", "", "file for the table, which must not exist; empty: standard output alone")
	if err := program.Parse(flags, args); err != nil {
		return command{}, err
	}
	for _, peer := range c.peers {
		if err := contender.Refuses(peer, c.options.Timing); err != nil {
			return command{}, fmt.Errorf("%s: %w", peer, err)
		}
	}
	return c, c.options.Timing.Validate()
}

// percent reads a share of a CPU.
func percent(text string) (float64, error) {
	p, err := strconv.ParseFloat(text, 64)
	if err == nil && (p < 1 || p > 100) {
		err = fmt.Errorf("%s: must be from 1 to 100", text)
	}
	return p, err
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
	fmt.Fprintf(out, "Lease %v, renew deadline %v, retry period %v; %v each, n = %d.\n\n", c.options.Timing.LeaseDuration, c.options.Timing.RenewDeadline, c.options.Timing.RetryPeriod, c.options.Window, c.n)
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
