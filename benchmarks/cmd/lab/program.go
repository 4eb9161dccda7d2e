package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// grant gives the program the rights that are in a file.
func (c command) grant(ctx context.Context, stage *scenario.Stage) error {
	if c.rights == "" {
		return nil
	}
	manifest, err := os.ReadFile(c.rights)
	if err != nil {
		return fmt.Errorf("-rights: %w", err)
	}
	if err := stage.Grant(ctx, manifest, c.options.Program.Namespace); err != nil {
		return fmt.Errorf("-rights %s: %w", c.rights, err)
	}
	return nil
}

// playProgram plays each scenario n times, to the program and to the peers beside it
// in turn, so that what changes on the machine touches all alike. It prints a line for
// each run and a table for each scenario.
func playProgram(out io.Writer, c command, play player) error {
	timing := c.options.Timing // of the peers
	for _, s := range c.scenarios {
		t := table{scenario: s, columns: []column{{name: c.options.Program.Name}}}
		for _, peer := range c.beside {
			t.columns = append(t.columns, column{name: peer})
		}
		for i := range c.n {
			for k := range t.columns {
				col := &t.columns[k]
				o := c.options
				if k > 0 {
					o = scenario.Options{Peer: col.name, Outside: true, Timing: timing, Stderr: o.Stderr}
					if col.refused = contender.Refuses(col.name, timing); col.refused != nil {
						continue
					}
				}
				result, err := play(s, o)
				if err != nil {
					return errors.Join(t.print(out), err)
				}
				if timing == (scenario.Timing{}) {
					timing = result.Timing
					fmt.Fprintf(out, "%s has a lease of %v and renews it every %v; a peer beside it contends with %v\n",
						col.name, timing.LeaseDuration, timing.RetryPeriod, timing)
				}
				col.runs = append(col.runs, result.Figures)
				fmt.Fprintf(out, "%s %d of %d: %s: %s\n", s.Name, i+1, c.n, col.name, inWords(result.Figures))
			}
		}
		if err := t.print(out); err != nil {
			return err
		}
	}
	return nil
}
