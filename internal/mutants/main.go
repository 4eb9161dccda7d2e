// Mutants breaks the rules of a package, one at a time, and runs the package's
// tests on each: a rule whose breaking nobody finds is not tested.
//
//	go run ./internal/mutants -package leaderelection -known leaderelection/mutants.txt
//
// A mutant is one changed operator or condition: < for <=, && for ||, + for -, min
// for max, a condition that is always true or never. All of them are compiled into
// one test binary, by an overlay, so that no file is touched; an environment
// variable chooses the one that is broken. A mutant that fails a test, or makes the
// tests hang, is found. One that survives must stand, with a reason, in the file
// of known survivors, a line for each: what is printed here, a tab, the reason.
//
// A run over everything takes an hour or two on two cores; -files, -every and
// -budget limit it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	dir    = flag.String("package", "leaderelection", "the directory of the package")
	files  = flag.String("files", "*.go", "which of its files to break: patterns, with commas between them")
	known  = flag.String("known", "leaderelection/mutants.txt", "the file of known survivors")
	every  = flag.Int("every", 1, "take each mutant of so many")
	offset = flag.Int("offset", 0, "begin with this one")
	budget = flag.Duration("budget", 12*time.Hour, "start no mutant after this time")
	limit  = flag.Duration("limit", 5*time.Minute, "how long the tests of one mutant may take")
	jobs   = flag.Int("jobs", 2, "how many mutants are tested at once")
	again  = flag.Bool("again", false, "test the known survivors too")
)

func main() {
	flag.Parse()
	unknown, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	}
	if unknown > 0 {
		os.Exit(1)
	}
}

// run breaks what is asked for, and returns how many mutants have survived that
// nobody has given a reason for.
func run() (int, error) {
	reasons, err := readKnown(*known)
	if err != nil {
		return 0, err
	}
	temporary, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(temporary)
	mutants, overlay, err := breakAll(*dir, *files, temporary)
	if err != nil {
		return 0, err
	}
	binary := filepath.Join(temporary, "mutants.test")
	if output, err := exec.Command("go", "test", "-overlay", overlay, "-c", "-o", binary, "./"+*dir).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, output)
	}
	if verdict := test(binary, 0, nil); verdict != survives {
		return 0, fmt.Errorf("the tests fail although nothing is broken: %s", verdict)
	}

	began := time.Now()
	var (
		mu                       sync.Mutex
		running                  sync.WaitGroup
		tried, survived, unknown int
		free                     = make(chan struct{}, *jobs)
	)
	own, err := testsByFile(*dir)
	if err != nil {
		return 0, err
	}
	for i, m := range mutants {
		if i < *offset || (i-*offset)%*every != 0 || time.Since(began) > *budget {
			continue
		}
		reason, explained := reasons[m.name]
		if explained && !*again {
			continue
		}
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			verdict := test(binary, i+1, own[m.file()])
			mu.Lock()
			defer mu.Unlock()
			tried++
			if verdict == survives {
				survived++
				if explained {
					verdict = "survives, since " + reason
				} else {
					unknown++
				}
			}
			fmt.Printf("%s\t%s (line %d)\n", m.name, verdict, m.line)
		})
	}
	running.Wait()
	fmt.Printf("%d mutants, %d tried in %v, %d survive, %d of them without a reason\n",
		len(mutants), tried, time.Since(began).Round(time.Second), survived, unknown)
	return unknown, nil
}

// readKnown reads the file of known survivors: name, tab, reason.
func readKnown(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, reason, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			reasons[name] = strings.TrimSpace(reason)
		}
	}
	return reasons, err
}

const survives = "SURVIVES"

// testFunction is the head of a test.
var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(t `)

// testsByFile returns the tests of each file.
func testsByFile(dir string) (map[string][]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	own := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		tested := strings.TrimSuffix(filepath.Base(file), "_test.go") + ".go"
		for _, found := range testFunction.FindAllStringSubmatch(string(text), -1) {
			own[tested] = append(own[tested], found[1])
		}
	}
	return own, nil
}

// test runs the tests on a mutant, 0 for none: its file's own first, and of the
// others those that are fast.
func test(binary string, mutant int, own []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	runs := [][]string{
		{"-test.run", "TestSimulation$", "-sim.elections=300"},
		{"-test.skip", "TestSimulation|TestASeedReplays"},
		{"-test.run", "TestSimulation$", "-sim.elections=2000"},
	}
	if own != nil {
		runs = slices.Insert(runs, 0, []string{"-test.run", "^(" + strings.Join(own, "|") + ")$"})
	}
	for _, which := range runs {
		command := exec.CommandContext(ctx, binary, append(which, "-test.failfast", "-test.timeout", limit.String())...)
		command.Dir = *dir
		command.Env = append(os.Environ(), chosen+"="+strconv.Itoa(mutant))
		if err := command.Run(); err != nil {
			if ctx.Err() != nil {
				return "hangs"
			}
			return "found"
		}
	}
	return survives
}
