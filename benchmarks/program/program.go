// Package program is what the commands of the benchmarks have in common: how
// they read their flags, enter the laboratory, are told to stop, and exit.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes of a program.
const (
	ExitOK = 0
	// ExitFailed: what was asked for could not be done.
	ExitFailed = 1
	// ExitUsage: a flag cannot be used.
	ExitUsage = 2
)

// Action is what a command line asks for.
type Action struct {
	// Run does it, prints to out, and returns soon once ctx is done.
	Run func(ctx context.Context, out io.Writer) error
	// Enter, where it is set, is called first: see lab.Enter.
	Enter func(minors ...string)
}

// Main runs the program of that name and exits. parse reads the arguments: its
// error names the flag and its value, or is flag.ErrHelp, and usage goes to the
// writer it is given. action says what a command line that could be read asks
// for. SIGINT and SIGTERM end the context of the action.
func Main[C any](name string, parse func(args []string, usage io.Writer) (C, error), action func(C) Action) {
	var a Action
	c, err := parse(os.Args[1:], os.Stderr)
	if err == nil {
		a = action(c)
	}
	if a.Enter != nil {
		a.Enter()
	}
	os.Exit(do(name, a, err, os.Stdout, os.Stderr))
}

// do does the action unless parsing it has failed, says what went wrong, and
// returns the exit code.
func do(name string, action Action, parsed error, out, complaints io.Writer) int {
	switch {
	case errors.Is(parsed, flag.ErrHelp):
		return ExitOK
	case parsed != nil:
		fmt.Fprintf(complaints, "%s: %v\n", name, parsed)
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := action.Run(ctx, out); err != nil {
		fmt.Fprintf(complaints, "%s: %v\n", name, err)
		return ExitFailed
	}
	return ExitOK
}
