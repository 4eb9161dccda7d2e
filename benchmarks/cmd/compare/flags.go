package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/compare"
	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

const (
	// defaultFor is how long a comparison takes that nobody has limited.
	defaultFor = 5 * time.Minute
	// defaultSeed is as good as any other, and the same every time.
	defaultSeed = 1
)

// quick is the timing that client-go can still run with.
var quick = scenario.Timing{LeaseDuration: time.Second, RenewDeadline: 700 * time.Millisecond, RetryPeriod: 200 * time.Millisecond}

// command is what the command line asks for.
type command struct {
	compare.Selection
	args    []string
	out     string
	append  bool
	seed    uint64
	seedSet bool
	budget  time.Duration
	rounds  int
	labs    int
}

// parse reads the command line. Its error names the flag and its value; for -h
// it is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	c := command{args: args}
	flags := program.NewFlags("compare", usage)
	flags.StringVar(&c.out, "o", "results.jsonl", "file for the results, which must not exist unless -append is given")
	flags.BoolVar(&c.append, "append", false, "go on with the file of an earlier run, in its order, where that has ended")
	flags.Uint64Var(&c.seed, "seed", defaultSeed, "what the order is drawn from; with -append that of the file")
	program.Duration(flags, &c.budget, "for", 0, 0, fmt.Sprintf("begin no further run after this time; without this and -rounds it is %v", defaultFor))
	program.Int(flags, &c.rounds, "rounds", 0, 0, "end after this many rounds; 0 is no such limit")
	program.Int(flags, &c.labs, "labs", 1, 1, "how many laboratories play at the same time; each takes some 1.5 GiB")
	program.Flag(flags, &c.Peers, "peers", strings.Join(contender.Compared(), ","), "who is compared", program.Some(program.Among(contender.Peers()...)))
	program.Flag(flags, &c.Scenarios, "scenarios", strings.Join(scenario.Names(), ","), "under what", program.Some(program.Among(scenario.Names()...)))
	program.Flag(flags, &c.Timings, "timings", fmt.Sprintf("%v,%v,%v", scenario.Short, quick, scenario.Long), "lease/renew deadline/retry period each, most important first", program.Some(contender.ParseTiming))
	if err := program.Parse(flags, args); err != nil {
		return command{}, err
	}
	flags.Visit(func(f *flag.Flag) { c.seedSet = c.seedSet || f.Name == "seed" })
	if c.budget == 0 && c.rounds == 0 {
		c.budget = defaultFor
	}
	if c.out == "" {
		return c, errors.New("-o is empty: it must name a file")
	}
	return c, nil
}

// limit is what a result says of how long it was allowed to take.
func (c command) limit() string {
	var limits []string
	if c.budget > 0 {
		limits = append(limits, c.budget.String())
	}
	if c.rounds > 0 {
		limits = append(limits, fmt.Sprintf("%d rounds", c.rounds))
	}
	return strings.Join(limits, ", ")
}
