package report

import (
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// standbys: how many requests a standby sends while nothing happens, for each
// number of contenders.
func standbys(in Input) []Target {
	const figure = "standby_requests_per_minute"
	t := Target{
		Name:   "API requests of a standby at rest",
		Wanted: fmt.Sprintf("≤ 1/10 of %s's", baseline),
	}
	all := groups(in, result.Rest)
	var judged []Target
	for _, g := range all {
		if g.peer != ours {
			continue
		}
		theirs := g.cell
		theirs.peer = baseline
		t := t
		t.Under = fmt.Sprintf("%s, %s", count(g.scale, "contender", "contenders"), timingWords(g.timing))
		judged = append(judged, share(t, find(all, theirs).stat(figure), g.stat(figure), standbyShare,
			func(v float64) string { return value(figure, v) }))
	}
	if len(judged) == 0 {
		return []Target{unmeasured(t, "no sample of "+result.Rest+" of "+ours)}
	}
	return judged
}

// connections: how many connections a process with a thousand leases has.
func connections(in Input) []Target {
	t := Target{Name: "connections of one process", Wanted: fmt.Sprintf("≤ %d", mostConnections)}
	return ofManyLeases(in, t, "connections", mostConnections)
}

// heap: how much heap each of a thousand leases takes.
func heap(in Input) []Target {
	t := Target{Name: "heap per lease", Wanted: "≤ " + size(mostHeapPerLease)}
	return ofManyLeases(in, t, "heap_bytes_per_lease", mostHeapPerLease)
}

// ofManyLeases judges a figure of our process with a thousand leases, for each
// timing that was measured. A smaller number proves nothing about it.
func ofManyLeases(in Input, t Target, figure string, most float64) []Target {
	t.Under = "1,000 leases in one process"
	var judged []Target
	largest := 0
	for _, g := range groups(in, result.Leases) {
		if g.peer != ours {
			continue
		}
		if len(g.values(figure)) > 0 {
			largest = max(largest, g.scale)
		}
		if g.scale != manyLeases {
			continue
		}
		at := t
		if g.timing != "" {
			at.Under += ", " + timingWords(g.timing)
		}
		at = atMost(at, g.stat(figure), most, figure)
		for _, s := range g.samples {
			if s.Failed != "" {
				at.Basis += "; failed: " + s.Failed
			}
			if s.Limit != "" {
				at.Basis += "; limit: " + s.Limit
			}
		}
		judged = append(judged, at)
	}
	if len(judged) == 0 {
		t = atMost(t, Stat{}, most, figure)
		if largest > 0 {
			t.Basis += fmt.Sprintf(" with 1,000 leases; the largest number measured is %d", largest)
		}
		return []Target{t}
	}
	return judged
}

// allocations: what a renewal allocates, by the Go benchmarks whose names
// speak of one.
func allocations(in Input) []Target {
	const unit = "allocs/op"
	t := Target{Name: "allocations of a renewal", Wanted: "no more than " + baseline}
	var judged []Target
	for _, name := range benchmarkNames(in.Benchmarks) {
		if !strings.Contains(strings.ToLower(name), "renew") {
			continue
		}
		theirs := benchmarkStat(in.Benchmarks, name, baseline, unit)
		us := benchmarkStat(in.Benchmarks, name, ours, unit)
		if theirs.N == 0 && us.N == 0 {
			continue
		}
		t := t
		t.Under = "Go benchmark " + name
		judged = append(judged, share(t, theirs, us, 1, func(v float64) string { return digits(v) + " " + unit }))
	}
	if len(judged) == 0 {
		return []Target{unmeasured(t, "no Go benchmark of a renewal with /impl="+ours+" and /impl="+baseline)}
	}
	return judged
}
