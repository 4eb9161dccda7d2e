package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/cost"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
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
	o := &c.options
	o.Timing = scenario.Long
	flags := program.NewFlags("cost", usage)
	program.Flag(flags, &c.peers, "peers", strings.Join(contender.Compared(), ","), "who to measure, separated by commas", program.Some(program.Among(contender.Peers()...)))
	program.Flag(flags, &c.contenders, "contenders", "2,10,100,1000", "how many contend for one lease; empty: none", program.List(program.Number(2)))
	program.Flag(flags, &c.leases, "leases", "1,10,100,1000", "how many leases one process holds; empty: none", program.List(program.Number(1)))
	o.Timing.Flags(flags, "lease", "renew", "retry")
	program.Duration(flags, &o.Window, "window", time.Minute, 1, "how long to measure; less than 30s says little")
	program.Duration(flags, &o.Settle, "settle", 3*time.Minute, 1, "how long contenders may take to settle")
	program.Int(flags, &o.Processes, "processes", 20, 1, "the most processes that standbys are spread over")
	program.Duration(flags, &c.limit, "for", 0, 0, "begin no measurement after this time; 0: no limit")
	flags.StringVar(&c.out, "o", "", "file for the results, which must not exist; empty: only the table")
	if err := program.Parse(flags, args); err != nil {
		return command{}, err
	}
	slices.Sort(c.contenders)
	slices.Sort(c.leases)
	if len(c.contenders)+len(c.leases) == 0 {
		return c, errors.New("-contenders and -leases are both empty: there is nothing to measure")
	}
	return c, o.Timing.Validate()
}
