package main

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// results is the open file of a comparison, its run, and what it held before.
type results struct {
	*result.File
	run    result.Run
	before []result.Sample
}

// open creates the file, or opens the one to go on with. A file from another
// machine, of other versions or of another seed is an error: its samples and
// those to come would not be of one comparison.
func (c command) open(machine result.Machine, versions result.Versions) (*results, error) {
	run := result.Run{
		Command: strings.Join(append([]string{"compare"}, c.args...), " "),
		Seed:    c.seed, Began: time.Now().UTC(), Machine: machine, Versions: versions, Budget: c.limit(),
	}
	if c.append {
		return c.reopen(run)
	}
	file, err := result.Create(c.out, run)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("-o %s: the file exists; go on with it by -append, or name another", c.out)
	}
	if err != nil {
		return nil, fmt.Errorf("-o %s: %w", c.out, err)
	}
	return &results{File: file, run: run}, nil
}

func (c command) reopen(run result.Run) (*results, error) {
	file, earlier, samples, err := result.Append(c.out)
	if err != nil {
		return nil, fmt.Errorf("-append -o %s: %w", c.out, err)
	}
	switch {
	case !reflect.DeepEqual(earlier.Machine, run.Machine):
		err = fmt.Errorf("it is from another machine, %+v, than this, %+v", earlier.Machine, run.Machine)
	case !reflect.DeepEqual(earlier.Versions, run.Versions):
		err = fmt.Errorf("it is of other versions, %v, than these, %v", earlier.Versions, run.Versions)
	case c.seedSet && earlier.Seed != c.seed:
		err = fmt.Errorf("its seed is %d, not %d: leave -seed out", earlier.Seed, c.seed)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("-append -o %s: %w", c.out, err), file.Close())
	}
	return &results{File: file, run: earlier, before: samples}, nil
}
