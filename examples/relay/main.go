// Command relay passes TCP connections on to the API server over connections that die
// in time. It is a sidecar for a program that cannot be rebuilt with this library: the
// program connects to the relay on loopback, and the relay dials with siblings, gives
// its sockets a user timeout, and tells the program at once when the server has gone.
//
// TLS goes through it untouched, so that the program checks the API server's
// certificate as before; hostAliases have the server's name lead to the relay.
// README.md says how, and what it gives a contender of client-go.
//
// It exits with 0 after SIGTERM or SIGINT, with 1 when something failed, and with 2
// when its flags were wrong. A second signal ends it at once.
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
	o, err := parse(args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(os.Stderr, "relay:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // the next signal then ends the process
	defer klog.Flush()
	if err := run(ctx, o); err != nil {
		klog.FromContext(ctx).Error(err, "Exiting")
		return 1
	}
	klog.FromContext(ctx).Info("Exiting after a signal")
	return 0
}
