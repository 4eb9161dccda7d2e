package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/compare"
	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

const (
	// defaultFor is how long a comparison takes that nobody has limited.
	defaultFor = 5 * time.Minute
	// defaultSeed is as good as any other, and the same every time.
	defaultSeed = 1
)

// quick is the timing that client-go can still run with.
var quick = scenario.Timing{LeaseDuration: time.Second, RenewDeadline: 700 * time.Millisecond, RetryPeriod: 200 * time.Millisecond}

// command is what the command line asks for.
type command struct {
	compare.Selection
	args    []string
	out     string
	append  bool
	seed    uint64
	seedSet bool
	budget  time.Duration
	rounds  int
	labs    int
}

// parse reads the command line. Its error names the flag and its value; for -h
// it is flag.ErrHelp. Usage goes to usage.
func parse(args []string, usage io.Writer) (command, error) {
	c := command{args: args}
	var peers, scenarios, timings string
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&c.out, "o", "results.jsonl", "file for the results, which must not exist unless -append is given")
	flags.BoolVar(&c.append, "append", false, "go on with the file of an earlier run, in its order, where that has ended")
	flags.Uint64Var(&c.seed, "seed", defaultSeed, "what the order is drawn from; with -append that of the file")
	flags.DurationVar(&c.budget, "for", 0, fmt.Sprintf("begin no further run after this time; without this and -rounds it is %v", defaultFor))
	flags.IntVar(&c.rounds, "rounds", 0, "end after this many rounds; 0 is no such limit")
	flags.IntVar(&c.labs, "labs", 1, "how many laboratories play at the same time; each takes some 1.5 GiB")
	flags.StringVar(&peers, "peers", strings.Join(contender.Compared(), ","), "who is compared")
	flags.StringVar(&scenarios, "scenarios", strings.Join(scenarioNames(), ","), "under what")
	flags.StringVar(&timings, "timings", join([]scenario.Timing{scenario.Short, quick, scenario.Long}), "lease/renew deadline/retry period each, most important first")
	if err := flags.Parse(args); err != nil {
		return command{}, err
	}
	if flags.NArg() > 0 {
		return command{}, fmt.Errorf("argument %q: there are only flags", flags.Arg(0))
	}
	flags.Visit(func(f *flag.Flag) { c.seedSet = c.seedSet || f.Name == "seed" })
	err := errors.Join(
		among(&c.Peers, "-peers", peers, contender.Peers()),
		among(&c.Scenarios, "-scenarios", scenarios, scenarioNames()),
		c.readTimings(timings),
		c.validate(),
	)
	if c.budget == 0 && c.rounds == 0 {
		c.budget = defaultFor
	}
	return c, err
}

func (c *command) validate() error {
	switch {
	case c.out == "":
		return errors.New("-o is empty: it must name a file")
	case c.budget < 0:
		return fmt.Errorf("-for %v: must not be negative", c.budget)
	case c.labs < 1:
		return fmt.Errorf("-labs %d: must be at least 1", c.labs)
	case c.rounds < 0:
		return fmt.Errorf("-rounds %d: must not be negative", c.rounds)
	}
	return nil
}

func (c *command) readTimings(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		t, err := scenario.ParseTiming(word)
		if err != nil {
			return fmt.Errorf("-timings: %w", err)
		}
		if slices.Contains(c.Timings, t) {
			return fmt.Errorf("-timings: %v is there twice", t)
		}
		c.Timings = append(c.Timings, t)
	}
	return nil
}

// among reads a list of names that must be among known, each once.
func among(to *[]string, name, list string, known []string) error {
	for word := range strings.SplitSeq(list, ",") {
		switch {
		case !slices.Contains(known, word):
			return fmt.Errorf("%s %q: must be of %s", name, word, strings.Join(known, ", "))
		case slices.Contains(*to, word):
			return fmt.Errorf("%s: %s is there twice", name, word)
		}
		*to = append(*to, word)
	}
	return nil
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenario.All() {
		names = append(names, s.Name)
	}
	return names
}

func join(timings []scenario.Timing) string {
	var words []string
	for _, t := range timings {
		words = append(words, t.String())
	}
	return strings.Join(words, ",")
}

// limit is what a result says of how long it was allowed to take.
func (c command) limit() string {
	var limits []string
	if c.budget > 0 {
		limits = append(limits, c.budget.String())
	}
	if c.rounds > 0 {
		limits = append(limits, fmt.Sprintf("%d rounds", c.rounds))
	}
	return strings.Join(limits, ", ")
}
