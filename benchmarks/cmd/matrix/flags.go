package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/matrix"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// command is what the command line asks for.
type command struct {
	list, verbose, keep bool
	output              string

	// columns are those of each fault.
	faults  []matrix.Fault
	columns [][]matrix.Column
	options matrix.Options
}

// parse reads the command line. Its error names the flag and its value; for -h
// it is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	var c command
	var faults, roles, modes string
	var subset bool
	var n int
	t := &c.options.Timing
	*t = scenario.Short

	flags := flag.NewFlagSet("matrix", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.BoolVar(&c.list, "list", false, "list the faults and columns, and exit")
	flags.StringVar(&faults, "faults", "", "faults to play, separated by commas; all if empty")
	flags.StringVar(&roles, "roles", "", "roles to play, separated by commas; all if empty")
	flags.StringVar(&modes, "modes", "", "modes to play, separated by commas; all if empty")
	flags.BoolVar(&subset, "subset", false, "play the part that spans the matrix")
	flags.DurationVar(&t.LeaseDuration, "lease", t.LeaseDuration, "lease duration")
	flags.DurationVar(&t.RenewDeadline, "renew", t.RenewDeadline, "renew deadline")
	flags.DurationVar(&t.RetryPeriod, "retry", t.RetryPeriod, "retry period")
	flags.StringVar(&c.options.Peer, "peer", "holdfast", "who contends: "+strings.Join(matrix.Peers(), " or ")+"; for client-go name the columns that it has")
	flags.IntVar(&n, "n", 1, "how often to play each fault, a row of the table each")
	flags.StringVar(&c.output, "o", "", "file to write the table to as well")
	flags.BoolVar(&c.keep, "keep", false, "keep the laboratory's logs")
	flags.BoolVar(&c.verbose, "v", false, "show the timeline of each fault and what the columns log")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	if flags.NArg() > 0 {
		return command{}, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	if c.verbose {
		c.options.Stderr = os.Stderr
	}
	if n < 1 {
		return command{}, fmt.Errorf("-n %d: must be at least 1", n)
	}
	err := c.resolve(subset, names(faults), names(roles), names(modes))
	c.faults, c.columns = slices.Repeat(c.faults, n), slices.Repeat(c.columns, n)
	return c, err
}

func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// resolve finds what the flags name and says which of them cannot be used.
func (c *command) resolve(subset bool, faults, roles, modes []string) (err error) {
	t := c.options.Timing
	switch {
	case !slices.Contains(matrix.Peers(), c.options.Peer):
		return fmt.Errorf("-peer %q: must be one of %s", c.options.Peer, strings.Join(matrix.Peers(), ", "))
	case t.RetryPeriod <= 0:
		return fmt.Errorf("-retry %v: must be positive", t.RetryPeriod)
	case t.RenewDeadline <= t.RetryPeriod:
		return fmt.Errorf("-renew %v: must be greater than -retry %v", t.RenewDeadline, t.RetryPeriod)
	case t.LeaseDuration <= t.RenewDeadline:
		return fmt.Errorf("-lease %v: must be greater than -renew %v", t.LeaseDuration, t.RenewDeadline)
	}
	if c.faults, err = matrix.Find(faults); err != nil {
		return fmt.Errorf("-faults: %w", err)
	}
	columns, err := matrix.Select(roles, modes)
	if err != nil {
		return fmt.Errorf("-roles and -modes: %w", err)
	}
	for range c.faults {
		c.columns = append(c.columns, columns)
	}
	if subset {
		for i, spanning := range matrix.Subset(c.faults) {
			c.columns[i] = matrix.Both(spanning, columns)
		}
	}
	return nil
}
