// Command elect runs a program, written in whatever language, while it leads:
//
//	elect -lease NAME [flags] -- command args…
//
// Any number of replicas may run. One of them, elected through a Lease, runs the
// command; when its term ends the command and all that descends from it is told to
// stop (SIGTERM), and is killed before another may lead. Without a command it
// leads and tells so, for programs that ask it who leads.
//
// It may be the first process of a container: it reaps what is orphaned and passes
// signals on. README.md says how to deploy it and what it logs.
//
// It exits with the command's own code where that has ended, or was asked to end by
// SIGTERM or SIGINT: 128 and the signal's number where a signal ended it. A lost
// term is 1, wrong flags are 2, a command that cannot be run is 126, one that is not
// there 127. A second SIGTERM or SIGINT kills the command at once.
//
// It needs Linux.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"k8s.io/klog/v2"
)

// Exit codes of elect's own; the others are the command's.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitCannot  = 126
	exitMissing = 127
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
		fmt.Fprintln(os.Stderr, "elect:", err)
		return exitUsage
	}
	defer klog.Flush()
	code, err := run(o)
	if err != nil {
		klog.Background().Error(err, "Exiting", "code", code)
	} else {
		klog.Background().Info("Exiting", "code", code)
	}
	return code
}
