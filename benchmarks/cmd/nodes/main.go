// Command nodes measures, on real nodes, how long nobody leads after the end of a
// leader, beside client-go: see package nodes.
//
//	go run ./cmd/nodes -n 20
//	go run ./cmd/nodes -cases killed,oom -peers here,none -n 5
//	go run ./cmd/nodes -storm 100 // crashes at random moments, amid random trouble, and no table
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
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/nodes"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func main() {
	c, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(2)
	}
	node.Enter()
	if err := c.run(); err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
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

func parse(args []string) (command, error) {
	var plan command
	plan.Plan = nodes.Plan{Timing: scenario.Long, Progress: os.Stderr}
	var all []string
	for _, c := range nodes.Cases {
		all = append(all, c.Name)
	}
	flags := flag.NewFlagSet("nodes", flag.ExitOnError)
	cases := flags.String("cases", strings.Join(all, ","), "cases to play, separated by commas")
	peers := flags.String("peers", "client-go,"+nodes.Here, "who contends: client-go, none (this library without witnesses), process, pod, or here (the witness that the case is about)")
	flags.IntVar(&plan.N, "n", 3, "how often each case is played with each peer")
	flags.IntVar(&plan.AtOnce, "at-once", 2, "how many plays go on at the same time")
	flags.IntVar(&plan.storm, "storm", 0, "crash the leader of two replicas, with one of client-go beside them, so many times")
	flags.IntVar(&plan.rollouts, "rollouts", 0, "roll 2, 3 and 5 replicas so many times, of client-go and of this library with podsuccessor")
	flags.BoolVar(&plan.evented, "evented-pleg", false, "kubelets hear of ends by events; takes containerd 2, with its shim, first in PATH")
	flags.StringVar(&plan.out, "o", "", "file of results to make, for cmd/report; empty keeps none")
	flags.Uint64Var(&plan.seed, "seed", 1, "what is drawn in a storm and in rollouts")
	if err := flags.Parse(args); err != nil {
		return plan, err
	}
	if flags.NArg() > 0 {
		return plan, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	if plan.N < 1 || plan.AtOnce < 1 || plan.storm < 0 || plan.rollouts < 0 {
		return plan, fmt.Errorf("-n %d, -at-once %d, -storm %d, -rollouts %d: must be positive", plan.N, plan.AtOnce, plan.storm, plan.rollouts)
	}
	for name := range strings.SplitSeq(*cases, ",") {
		i := slices.IndexFunc(nodes.Cases, func(c nodes.Case) bool { return c.Name == name })
		if i < 0 {
			return plan, fmt.Errorf("-cases %q: must be of %s", name, strings.Join(all, ", "))
		}
		plan.Cases = append(plan.Cases, nodes.Cases[i])
	}
	for peer := range strings.SplitSeq(*peers, ",") {
		if !slices.Contains([]string{"client-go", "none", "process", "pod", nodes.Here}, peer) {
			return plan, fmt.Errorf("-peers %q: must be of client-go, none, process, pod, %s", peer, nodes.Here)
		}
		plan.Peers = append(plan.Peers, peer)
	}
	return plan, nil
}

func (c command) run() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	stage, err := nodes.NewStage(ctx, os.Stderr, node.Options{EventedPLEG: c.evented}, "left", "right")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if c.storm > 0 {
		if err := nodes.Storm(ctx, stage, c.storm, c.seed, os.Stderr, "client-go"); err != nil {
			return err
		}
		fmt.Printf("%d crashes, and no two worked at once\n", c.storm)
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
		fmt.Print(rolled.Table(c.Peers))
		return err
	}
	measured, err := nodes.Measure(ctx, stage, c.Plan)
	fmt.Print(measured.Table(c.Cases, c.Peers))
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
