package contender

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// The exit codes of a contender.
const (
	ExitOK    = 0
	ExitLost  = 1
	ExitUsage = 2
	ExitSetup = 3
)

// marker is the environment variable that turns a program that calls Main into
// a contender.
const marker = "HOLDFAST_LAB_CONTENDER"

// Command returns the path, the arguments and the additional environment that
// start the running program once more, as the contender o. The environment
// holds what o's peer is configured by, as a pod's specification would.
func Command(o Options) (path string, args, env []string, err error) {
	path, err = os.Executable()
	if err != nil {
		return "", nil, nil, fmt.Errorf("find the program to start as contender %s: %w", o.Identity, err)
	}
	return path, o.Args(), append([]string{marker + "=1"}, peers[o.Peer].env...), nil
}

// Main returns at once in a program that was started as itself. In one that
// was started by means of Command it contends until SIGTERM or SIGINT, and
// exits. Call it first in main or TestMain, before flags are parsed.
func Main() {
	if os.Getenv(marker) == "" {
		return
	}
	code := program(os.Args[1:])
	klog.Flush()
	os.Exit(code)
}

func program(args []string) int {
	o, err := Parse(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return ExitOK
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "contender:", err)
		return ExitUsage
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		fmt.Fprintf(os.Stderr, "contender %s: kubeconfig %s: %v\n", o.Identity, o.Kubeconfig, err)
		return ExitSetup
	}
	if o.OwnDial {
		config.Dial = OwnDial
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	code, err := run(ctx, o, config, event.NewWriter(os.Stdout))
	if err != nil {
		fmt.Fprintf(os.Stderr, "contender %s: %v\n", o.Identity, err)
	}
	return code
}
