package main

import (
	"io"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/program"
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
	flags := program.NewFlags("shortest", usage)
	program.Flag(flags, &c.peers, "peers", strings.Join(contender.Compared(), ","), "who to try, separated by commas", program.Some(program.Among(contender.Peers()...)))
	program.Duration(flags, &c.options.Window, "window", 10*time.Minute, 1, "how long one trial lasts; less than three silences and pauses says little")
	program.Duration(flags, &c.options.Silence, "silence", time.Minute, 1, "how long each API server is silent")
	program.Duration(flags, &c.options.Pause, "pause", 10*time.Second, 0, "how long there is peace once it serves again")
	program.Duration(flags, &c.longest, "longest", 2*time.Minute, time.Second, "longest lease to try")
	program.Int(flags, &c.confirm, "confirm", 2, 1, "how many trials the lease that is found must hold, the one that found it included")
	program.Int(flags, &c.together, "together", 4, 1, "how many leases of each peer are in one trial")
	flags.StringVar(&c.out, "o", "", "file for the results, which must not exist; empty: only the trials on standard output")
	return c, program.Parse(flags, args)
}
