package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// Benchmark is one result line of `go test -bench`.
type Benchmark struct {
	// Name has neither the word Benchmark, nor the /impl= part, nor the number of
	// processors at the end.
	Name string
	// Impl is the value of the /impl= part, by which benchstat compares with
	// -col /impl; empty without one.
	Impl string
	// Values are the figures by unit: "ns/op", "B/op", "allocs/op".
	Values map[string]float64
}

// ParseBenchmarks reads the output of `go test -bench`, once or many times
// over, as benchstat does: lines that are no results are passed over. A line
// that begins as a result and goes on as none is an error that names it.
func ParseBenchmarks(in io.Reader) ([]Benchmark, error) {
	var all []Benchmark
	number := 0
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		number++
		words := strings.Fields(lines.Text())
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		if _, err := strconv.Atoi(words[1]); err != nil {
			continue // a line that a benchmark logged
		}
		b := named(words[0])
		for i := 2; i+1 < len(words); i += 2 {
			value, err := strconv.ParseFloat(words[i], 64)
			if err != nil {
				return nil, fmt.Errorf("line %d of the Go benchmarks: %q must be a number before its unit %q", number, words[i], words[i+1])
			}
			b.Values[words[i+1]] = value
		}
		all = append(all, b)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d of the Go benchmarks: %w", number+1, err)
	}
	return all, nil
}

// named returns a Benchmark without values of that full name.
func named(full string) Benchmark {
	b := Benchmark{Values: map[string]float64{}}
	full = strings.TrimPrefix(full, "Benchmark")
	if at := strings.LastIndexByte(full, '-'); at > 0 {
		if _, err := strconv.Atoi(full[at+1:]); err == nil {
			full = full[:at]
		}
	}
	parts := strings.Split(full, "/")
	parts = slices.DeleteFunc(parts, func(part string) bool {
		impl, ok := strings.CutPrefix(part, "impl=")
		if ok {
			b.Impl = impl
		}
		return ok
	})
	b.Name = strings.Join(parts, "/")
	return b
}

// benchmarkNames returns the names there are, in the order in which they first
// appear.
func benchmarkNames(all []Benchmark) []string {
	var names []string
	for _, b := range all {
		if !slices.Contains(names, b.Name) {
			names = append(names, b.Name)
		}
	}
	return names
}

// benchmarkStat describes one unit of the benchmark of that name and impl.
func benchmarkStat(all []Benchmark, name, impl, unit string) Stat {
	var values []float64
	for _, b := range all {
		if v, ok := b.Values[unit]; ok && b.Name == name && b.Impl == impl {
			values = append(values, v)
		}
	}
	return stat.Of(values)
}
