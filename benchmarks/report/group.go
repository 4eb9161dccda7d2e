package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/stat"
)

// The two peers that the targets compare.
const (
	ours     = "holdfast"
	baseline = "client-go"
)

// peerOrder is the order in which peers are shown; others follow by name.
var peerOrder = []string{
	"client-go", "client-go-http1", "client-go-pings-2s", "controller-runtime",
	"controller-runtime-holdfast-lock", "etcd", "holdfast-fresh", "holdfast",
}

// cell is what samples that may be summed up together have in common.
type cell struct {
	measure, kase, timing string
	scale                 int
	peer                  string
}

// group is the samples of one cell.
type group struct {
	cell
	samples []result.Sample
	// inapplicable says why the peer cannot be measured so, empty if it can.
	inapplicable string
}

// inapplicablePrefix begins the Limit of a sample that stands for a cell which
// its peer cannot play. It is no sample of anything.
const inapplicablePrefix = "not applicable: "

// inapplicable returns why the sample's cell cannot be played, if it is that.
func inapplicable(s result.Sample) (why string, is bool) {
	return strings.CutPrefix(s.Limit, inapplicablePrefix)
}

// groups divides the samples of measure into cells, in the order in which to
// show them: cases as given, the longest lease first, growing scale, peers in
// peerOrder. Shortest leases of one peer are one cell whatever was found.
func groups(in Input, measure string) []group {
	index := map[cell]int{}
	var all []group
	for _, s := range in.samples() {
		if s.Measure != measure {
			continue
		}
		c := cell{measure: s.Measure, kase: s.Case, timing: s.Timing, scale: s.Scale, peer: s.Peer}
		if measure == result.Shortest {
			c.timing = ""
		}
		at, known := index[c]
		if !known {
			at = len(all)
			index[c] = at
			all = append(all, group{cell: c})
		}
		if why, is := inapplicable(s); is {
			all[at].inapplicable = why
			continue
		}
		all[at].samples = append(all[at].samples, s)
	}
	slices.SortStableFunc(all, func(a, b group) int {
		return cmp.Or(in.compareCases(a.kase, b.kase), compareTimings(a.timing, b.timing),
			cmp.Compare(a.scale, b.scale), comparePeers(a.peer, b.peer))
	})
	return all
}

// ok returns the samples that did not fail.
func (g group) ok() []result.Sample {
	return slices.DeleteFunc(slices.Clone(g.samples), func(s result.Sample) bool { return s.Failed != "" })
}

// failed counts the samples that failed.
func (g group) failed() int { return len(g.samples) - len(g.ok()) }

// values returns a figure of the samples that did not fail and that have it.
func (g group) values(figure string) []float64 {
	var values []float64
	for _, s := range g.ok() {
		if v, ok := s.Figures[figure]; ok {
			values = append(values, v)
		}
	}
	return values
}

// stat describes a figure.
func (g group) stat(figure string) Stat { return stat.Of(g.values(figure)) }

// lost counts the samples in which the leader did not keep the lease, of those
// that say.
func (g group) lost() (lost, of int) {
	for _, s := range g.ok() {
		kept, says := s.Figures["kept"]
		losses, counts := s.Figures["leases_lost_total"]
		if !says && !counts {
			continue
		}
		of++
		if says && kept == 0 || losses > 0 {
			lost++
		}
	}
	return lost, of
}

// find returns the group of a cell, an empty one if there is none.
func find(all []group, c cell) group {
	for _, g := range all {
		if g.cell == c {
			return g
		}
	}
	return group{cell: c}
}

// distinct returns what key says of the groups, each once, in their order.
func distinct[K comparable](all []group, key func(group) K) []K {
	var keys []K
	for _, g := range all {
		if k := key(g); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (in Input) compareCases(a, b string) int {
	return rankThenName(a, b, func(name string) int {
		return slices.IndexFunc(in.Cases, func(c Case) bool { return c.Name == name })
	})
}

func comparePeers(a, b string) int {
	return rankThenName(a, b, func(name string) int { return slices.Index(peerOrder, name) })
}

// rankThenName compares by rank; those without one (-1) come last, by name.
func rankThenName(a, b string, rank func(string) int) int {
	place := func(name string) int {
		if at := rank(name); at >= 0 {
			return at
		}
		return 1 << 30
	}
	return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a, b))
}

// compareTimings puts the longest lease first and what is no timing last.
func compareTimings(a, b string) int {
	return cmp.Or(cmp.Compare(lease(b), lease(a)), strings.Compare(a, b))
}

// lease returns the lease duration of a timing, 0 for what is none.
func lease(timing string) time.Duration { return part(timing, 0) }

// retryPeriod returns the retry period of a timing, 0 for what is none.
func retryPeriod(timing string) time.Duration { return part(timing, 2) }

func part(timing string, at int) time.Duration {
	parts := strings.Split(timing, "/")
	if len(parts) != 3 {
		return 0
	}
	d, err := time.ParseDuration(parts[at])
	if err != nil {
		return 0
	}
	return d
}
