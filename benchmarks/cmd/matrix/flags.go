package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/matrix"
	"github.com/holdfast-go/holdfast/benchmarks/program"
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
	c := command{options: matrix.Options{Timing: scenario.Short}}
	var faults, roles, modes []string
	var subset bool
	var n int
	flags := program.NewFlags("matrix", usage)
	flags.BoolVar(&c.list, "list", false, "list the faults and columns, and exit")
	program.Flag(flags, &faults, "faults", "", "faults to play, separated by commas; all if empty", names)
	program.Flag(flags, &roles, "roles", "", "roles to play, separated by commas; all if empty", names)
	program.Flag(flags, &modes, "modes", "", "modes to play, separated by commas; all if empty", names)
	flags.BoolVar(&subset, "subset", false, "play the part that spans the matrix")
	c.options.Timing.Flags(flags, "lease", "renew", "retry")
	program.Flag(flags, &c.options.Peer, "peer", "holdfast", "who contends: "+strings.Join(matrix.Peers(), " or ")+"; for client-go name the columns that it has", program.Among(matrix.Peers()...))
	program.Int(flags, &n, "n", 1, 1, "how often to play each fault, a row of the table each")
	flags.StringVar(&c.output, "o", "", "file to write the table to as well")
	flags.BoolVar(&c.keep, "keep", false, "keep the laboratory's logs")
	flags.BoolVar(&c.verbose, "v", false, "show the timeline of each fault and what the columns log")
	if err := program.Parse(flags, args); err != nil {
		return command{}, err
	}
	if c.verbose {
		c.options.Stderr = os.Stderr
	}
	err := errors.Join(c.options.Timing.Validate(), c.resolve(subset, faults, roles, modes))
	c.faults, c.columns = slices.Repeat(c.faults, n), slices.Repeat(c.columns, n)
	return c, err
}

// names reads names that resolve will know.
var names = program.List(func(name string) (string, error) { return name, nil })

// resolve finds what the flags name and says which of them cannot be used.
func (c *command) resolve(subset bool, faults, roles, modes []string) (err error) {
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
