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
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/nodes"
	"github.com/holdfast-go/holdfast/benchmarks/report"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the command; it returns its exit code.
func run(args []string, out, errs io.Writer) int {
	c, err := parse(args, errs)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(errs, "report:", err)
		return 2
	}
	in, err := report.Load(c.in, cases())
	if err == nil {
		err = report.Write(c.out, in)
	}
	if err != nil {
		fmt.Fprintln(errs, "report:", err)
		return 1
	}
	for _, t := range report.Targets(in) {
		fmt.Fprintf(out, "%-15s  %s (%s): %s; target %s\n", t.Verdict, t.Name, t.Under, t.Value, t.Wanted)
	}
	fmt.Fprintln(out, "written:", filepath.Join(c.out, "report.md"))
	return 0
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
	var in string
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&in, "in", "", "files of results and of Go benchmarks, with commas between them")
	flags.StringVar(&c.out, "out", "", "folder to write the report to; it is made")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	for _, path := range strings.Split(in, ",") {
		if path = strings.TrimSpace(path); path != "" {
			c.in = append(c.in, path)
		}
	}
	switch {
	case flags.NArg() > 0:
		return command{}, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	case len(c.in) == 0:
		return command{}, errors.New("-in is empty: it must name at least one file")
	case c.out == "":
		return command{}, errors.New("-out is empty: it must name a folder")
	}
	return c, nil
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
