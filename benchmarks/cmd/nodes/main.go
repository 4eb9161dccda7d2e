// Command nodes measures, on real nodes, how long nobody leads after the end of a
// leader, beside client-go: see package nodes.
//
//	go run ./cmd/nodes -n 20
//	go run ./cmd/nodes -cases killed,oom -peers here,none -n 5
//	go run ./cmd/nodes -storm 100 // crashes at random moments, amid random faults, and no table
//	go run ./cmd/nodes -rollouts 10 // rolling updates of 2, 3 and 5 replicas, in a table of their own
//
// It needs root, and what package lab/node says. It prints a table on standard output,
// progress on standard error.
//
// Exit codes: 0 when everything was measured; 1 when something could not be measured, or
// two worked at once; 2 for a flag that cannot be used. A figure beyond its bound is
// said, and is no error: machines differ.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/nodes"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func main() {
	program.Main("nodes", parse, func(c command) program.Action { return program.Action{Enter: node.Enter, Run: c.run} })
}

// command is what the command line asks for.
type command struct {
	nodes.Plan
	storm    int
	rollouts int
	seed     uint64
	out      string
	evented  bool
}

// parse reads the command line. Its error names the flag and its value; for -h
// it is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	c := command{Plan: nodes.Plan{Timing: scenario.Long, Progress: os.Stderr}}
	var cases []string
	var all []string
	for _, c := range nodes.Cases {
		all = append(all, c.Name)
	}
	flags := program.NewFlags("nodes", usage)
	program.Flag(flags, &cases, "cases", strings.Join(all, ","), "cases to play, separated by commas", program.Some(program.Among(all...)))
	program.Flag(flags, &c.Peers, "peers", "client-go,"+nodes.Here, "who contends: client-go, none (this library without witnesses), process, pod, or here (the witness that the case is about)",
		program.Some(program.Among("client-go", "none", "process", "pod", nodes.Here)))
	program.Int(flags, &c.N, "n", 3, 1, "how often each case is played with each peer")
	program.Int(flags, &c.AtOnce, "at-once", 2, 1, "how many plays go on at the same time")
	program.Int(flags, &c.storm, "storm", 0, 0, "crash the leader of two replicas, with one of client-go beside them, so many times")
	program.Int(flags, &c.rollouts, "rollouts", 0, 0, "roll 2, 3 and 5 replicas so many times, of client-go and of this library with podsuccessor")
	flags.BoolVar(&c.evented, "evented-pleg", false, "kubelets hear of ends by events; takes containerd 2, with its shim, first in PATH")
	flags.StringVar(&c.out, "o", "", "file of results to make, for cmd/report; empty keeps none")
	flags.Uint64Var(&c.seed, "seed", 1, "what is drawn in a storm and in rollouts")
	err := program.Parse(flags, args)
	for _, name := range cases {
		c.Cases = append(c.Cases, nodes.Cases[slices.Index(all, name)])
	}
	return c, err
}

func (c command) run(ctx context.Context, out io.Writer) (err error) {
	stage, err := nodes.NewStage(ctx, os.Stderr, node.Options{EventedPLEG: c.evented}, "left", "right")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if c.storm > 0 {
		if err := nodes.Storm(ctx, stage, c.storm, c.seed, os.Stderr, "client-go"); err != nil {
			return err
		}
		fmt.Fprintf(out, "%d crashes, and no two worked at once\n", c.storm)
		return nil
	}
	file, err := c.open(ctx, stage.Lab)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	c.Keep = file.Write
	if c.rollouts > 0 {
		c.N, c.Peers = c.rollouts, []string{"client-go", "successor"}
		rolled, err := nodes.MeasureRollouts(ctx, stage, c.Plan, c.seed)
		fmt.Fprint(out, rolled.Table(c.Peers))
		return err
	}
	measured, err := nodes.Measure(ctx, stage, c.Plan)
	fmt.Fprint(out, measured.Table(c.Cases, c.Peers))
	for _, missed := range measured.Missed(c.Cases) {
		fmt.Fprintln(os.Stderr, "nodes: beyond its bound:", missed)
	}
	return err
}

// open makes the file of results. The kubelets are of the version of the API server.
func (c command) open(ctx context.Context, l *lab.Lab) (*result.File, error) {
	versions, err := l.Versions(ctx)
	if err != nil {
		return nil, err
	}
	return result.Create(c.out, result.ThisRun(c.seed, "", versions))
}
