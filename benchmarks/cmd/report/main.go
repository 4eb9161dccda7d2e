// Command report makes a report from files of results and, if there are any,
// the output of Go benchmarks: report.md with the targets and tables,
// figures.md with every figure, and the plots as SVG.
//
//	go run ./cmd/report -in failover.jsonl,cost.jsonl,gobench.txt -out results/NAME
//
// What the files do not hold is said in the report and is no error: a missed
// target is none either. Plots of an earlier report in the same folder are
// removed.
//
// Exit codes: 0 for a report that was written; 1 for a file that could not be
// read or written; 2 for a flag that cannot be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/nodes"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/report"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func main() {
	program.Main("report", parse, func(c command) program.Action { return program.Action{Run: c.run} })
}

// command is what the command line asks for.
type command struct {
	in  []string
	out string
}

// parse reads the command line. Its error names the flag; for -h it is
// flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	var c command
	flags := program.NewFlags("report", usage)
	program.Flag(flags, &c.in, "in", "", "files of results and of Go benchmarks, with commas between them", program.List(func(path string) (string, error) { return path, nil }))
	flags.StringVar(&c.out, "out", "", "folder to write the report to; it is made")
	err := program.Parse(flags, args)
	switch {
	case err != nil:
		return command{}, err
	case len(c.in) == 0:
		return command{}, errors.New("-in is empty: it must name at least one file")
	case c.out == "":
		return command{}, errors.New("-out is empty: it must name a folder")
	}
	return c, nil
}

// run makes the report and prints what became of the targets.
func (c command) run(_ context.Context, out io.Writer) error {
	in, err := report.Load(c.in, cases())
	if err == nil {
		err = report.Write(c.out, in)
	}
	if err != nil {
		return err
	}
	for _, t := range report.Targets(in) {
		fmt.Fprintf(out, "%-15s  %s (%s): %s; target %s\n", t.Verdict, t.Name, t.Under, t.Value, t.Wanted)
	}
	_, err = fmt.Fprintln(out, "written:", filepath.Join(c.out, "report.md"))
	return err
}

// cases returns the scenarios there are, as the report knows them.
func cases() []report.Case {
	var all []report.Case
	for _, s := range scenario.All() {
		all = append(all, report.Case{Name: s.Name, Text: s.Text, Takeover: s.Takeover})
	}
	for _, c := range nodes.Cases {
		all = append(all, report.Case{Name: c.ResultName(), Text: strings.TrimSuffix(c.Text, "."), Takeover: true, Leaderless: true, Most: c.Bound.Seconds()})
	}
	for _, c := range nodes.RolloutCases {
		all = append(all, report.Case{Name: c.Name, Text: "A rolling update of " + c.String(), Takeover: true, Leaderless: true, MostChanges: c.MostChanges})
	}
	return all
}
