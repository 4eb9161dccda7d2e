// Command controller keeps a ConfigMap with a hosts block for CoreDNS in step
// with the Services that carry a label. Any number of replicas may run: one of
// them, elected through a Lease, writes; the others keep their caches warm.
//
// It is an example of a controller that a dead connection cannot stall: the
// lock's client, and the client of everything else, are made from one
// rest.Config by resourcelock.NewFromKubeconfigWithOptions and
// dialer.HardenTraffic. README.md says how to deploy it and what it logs.
//
// It exits with 0 after SIGTERM or SIGINT, with 1 when leadership was lost or
// something else failed, and with 2 when its flags were wrong. A second signal
// ends it at once.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/klog/v2"
)

func main() {
	os.Exit(exitCode(os.Args[1:]))
}

func exitCode(args []string) int {
	options, err := parse(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "controller:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal then ends the process
	defer klog.Flush()
	if err := run(ctx, options); err != nil {
		klog.FromContext(ctx).Error(err, "Exiting")
		return 1
	}
	klog.FromContext(ctx).Info("Exiting after a signal")
	return 0
}
