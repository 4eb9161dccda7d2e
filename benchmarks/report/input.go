package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// Case is a scenario that samples of measure result.Failover may be of.
type Case struct {
	// Name is that of the samples, Text says what happens in one sentence.
	Name, Text string
	// Takeover says that somebody else must lead after the fault. Without it the
	// leader should keep the lease.
	Takeover bool
	// Leaderless says that its figure is for how long nobody led, as of what happens to
	// Pods on real nodes. No sample of ours may have more than Most, in seconds, nor
	// more changes of leader than MostChanges; zero is no bound.
	Leaderless  bool
	Most        float64
	MostChanges int
}

// File is one file of results.
type File struct {
	// Name is without its folder.
	Name    string
	Run     result.Run
	Samples []result.Sample
	// Cut says why the file holds less than was measured, or nothing; empty for a
	// whole one.
	Cut string
}

// Input is all that a report is made from. The zero Input gives a report that
// says that nothing was measured.
type Input struct {
	Files []File
	// Benchmarks are results of Go benchmarks.
	Benchmarks []Benchmark
	// Cases are the scenarios there are, in the order in which to report them. A
	// scenario that is not among them is reported after them, and no target
	// judges it.
	Cases []Case
}

// Load reads the files at paths: results, which begin with '{', and output of
// Go benchmarks. An empty file and one whose last line was cut short are no
// errors, but are named in the report; any other line that cannot be read is
// an error that names file and line.
func Load(paths []string, cases []Case) (Input, error) {
	in := Input{Cases: cases}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return Input{}, fmt.Errorf("load results: %w", err)
		}
		name := filepath.Base(path)
		if begin := bytes.TrimSpace(content); len(begin) > 0 && begin[0] != '{' {
			benchmarks, err := ParseBenchmarks(bytes.NewReader(content))
			if err != nil {
				return Input{}, fmt.Errorf("load %s: %w", path, err)
			}
			if len(benchmarks) == 0 {
				return Input{}, fmt.Errorf("load %s: it holds neither results (JSON lines) nor Go benchmarks", path)
			}
			in.Benchmarks = append(in.Benchmarks, benchmarks...)
			continue
		}
		file, err := read(name, content)
		if err != nil {
			return Input{}, fmt.Errorf("load %s: %w", path, err)
		}
		in.Files = append(in.Files, file)
	}
	return in, nil
}

// read reads a file of results. A last line without an end was being written
// when the run was ended.
func read(name string, content []byte) (File, error) {
	if len(bytes.TrimSpace(content)) == 0 {
		return File{Name: name, Cut: "the file is empty"}, nil
	}
	run, samples, err := result.Read(bytes.NewReader(content))
	if err == nil {
		return File{Name: name, Run: run, Samples: samples}, nil
	}
	whole := content[:bytes.LastIndexByte(content, '\n')+1]
	if len(whole) == len(content) {
		return File{}, err
	}
	const cut = "its last line is incomplete and was left out"
	if len(whole) == 0 {
		return File{Name: name, Cut: cut}, nil
	}
	run, samples, again := result.Read(bytes.NewReader(whole))
	if again != nil {
		return File{}, errors.Join(err, again)
	}
	return File{Name: name, Run: run, Samples: samples, Cut: cut}, nil
}

// samples returns those of all files.
func (in Input) samples() []result.Sample {
	var all []result.Sample
	for _, f := range in.Files {
		all = append(all, f.Samples...)
	}
	return all
}

// machines returns the different machines of the files, in their order.
func (in Input) machines() []result.Machine {
	var all []result.Machine
	seen := map[result.Machine]bool{}
	for _, f := range in.Files {
		if f.Run.Machine != (result.Machine{}) && !seen[f.Run.Machine] {
			seen[f.Run.Machine] = true
			all = append(all, f.Run.Machine)
		}
	}
	return all
}
