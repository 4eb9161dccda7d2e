package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// What stands here is made up, for tests only: figures of the size that the
// laboratory gives, so that plots and tables can be looked at.

const (
	longTiming  = "15s/10s/2s"
	shortTiming = "3s/2s/500ms"
)

var (
	exampleBegan = time.Date(2026, 11, 23, 21, 42, 0, 0, time.UTC)
	exampleCases = []Case{
		{Name: "node-death", Text: "the leader's host and the API server that both are connected to go silent together; the virtual IP drops the server at once", Takeover: true},
		{Name: "api-silent", Text: "only the API server that both are connected to goes silent"},
		{Name: "kill", Text: "the leader's process is killed (SIGKILL)", Takeover: true},
		{Name: "handover", Text: "the leader is told to stop (SIGTERM) and releases the lease", Takeover: true},
	}
	exampleRun = result.Run{
		Command: "compare -seed 7", Seed: 7, Began: exampleBegan, Budget: "8m0s",
		Machine:  result.Machine{OS: "linux", Arch: "amd64", Kernel: "6.1", CPU: "a processor", Cores: 2, Memory: 8 << 30},
		Versions: result.Versions{"go": "go1.26", "kube-apiserver": "v1.37.2"},
	}
)

// play writes the events of a run; times are seconds since the fault.
type play struct{ events []event.Event }

func (p *play) at(seconds float64, e event.Event) {
	e.Time = exampleBegan.Add(time.Duration(seconds * 1e9))
	p.events = append(p.events, e)
}

func (p *play) says(seconds float64, who string, what event.What) {
	p.at(seconds, event.Event{Who: who, What: what})
}

func (p *play) committed(seconds float64, holder string, lease time.Duration) {
	renewed := exampleBegan.Add(time.Duration(seconds * 1e9))
	p.at(seconds+0.004, event.Event{Who: "observer", What: event.Committed, Holder: holder, RenewTime: renewed, Lease: lease})
}

// nodeDeath is a run in which contender-1 renewed last at lastRenewal, its work
// was told to stop at stop and ended at stopped, and contender-2 led at next.
func nodeDeath(lastRenewal, stop, stopped, next float64) []event.Event {
	p := &play{}
	p.at(-12, event.Event{Who: "scenario", What: event.Began, Reason: "node-death"})
	p.says(-11, "contender-1", event.Started)
	p.says(-10.9, "contender-1", event.Leading)
	p.says(-10, "contender-2", event.Started)
	for i := 4; i >= 0; i-- {
		p.committed(lastRenewal-2*float64(i), "contender-1", 15*time.Second)
	}
	p.at(0, event.Event{Who: "scenario", What: event.Fault, On: "contender-1", Reason: "host is silent"})
	p.at(0, event.Event{Who: "scenario", What: event.Fault, On: "apiserver-1", Reason: "host is silent"})
	p.says(stop, "contender-1", event.Stopping)
	p.says(stop, "contender-1", event.Lost)
	p.says(stopped, "contender-1", event.Stopped)
	p.says(stopped+0.05, "contender-1", event.Exited)
	p.committed(next-0.008, "contender-2", 15*time.Second)
	p.says(next, "contender-2", event.Leading)
	p.says(max(next, stopped)+0.5, "scenario", event.Ended)
	return event.Merge(p.events)
}

// silent is a run in which an API server went silent; the leader lost the
// lease at lost, or kept it where that is zero.
func silent(lost float64) []event.Event {
	p := &play{}
	p.says(-10.9, "contender-1", event.Leading)
	p.says(-10, "contender-2", event.Started)
	for t := -8.6; t < 0; t += 2 {
		p.committed(t, "contender-1", 15*time.Second)
	}
	p.at(0, event.Event{Who: "scenario", What: event.Fault, On: "apiserver-1", Reason: "host is silent"})
	if lost > 0 {
		p.says(lost, "contender-1", event.Stopping)
		p.says(lost, "contender-1", event.Lost)
		p.says(lost+0.01, "contender-1", event.Stopped)
		p.says(lost+0.02, "contender-1", event.Exited)
	} else {
		for t := 1.8; t < 25; t += 2 {
			p.committed(t, "contender-1", 15*time.Second)
		}
	}
	p.says(25, "scenario", event.Ended)
	return event.Merge(p.events)
}

// released is a handover: the old work is told to stop at 0.01 and takes work
// to end, the lease is released at release, and contender-2 leads at next.
func released(work, release, next float64) []event.Event {
	p := &play{}
	p.says(-10.9, "contender-1", event.Leading)
	p.says(-10, "contender-2", event.Started)
	p.committed(-1, "contender-1", 15*time.Second)
	p.at(0, event.Event{Who: "scenario", What: event.Fault, On: "contender-1", Reason: "SIGTERM"})
	p.says(0.01, "contender-1", event.Stopping)
	p.says(0.01+work, "contender-1", event.Stopped)
	p.at(release, event.Event{Who: "observer", What: event.Released})
	p.says(next, "contender-2", event.Leading)
	p.committed(next-0.01, "contender-2", 15*time.Second)
	p.says(max(next, work)+0.5, "scenario", event.Ended)
	return event.Merge(p.events)
}

// exampleFailover is every case, timing and peer, in rounds.
func exampleFailover(rounds int) File {
	r := rand.New(rand.NewPCG(7, 7))
	around := func(median float64) float64 { return median * math.Exp(r.NormFloat64()*0.35) }
	takeover := map[string]float64{
		"client-go": 41, "client-go-http1": 11, "client-go-pings-2s": 4.1, "controller-runtime": 40,
		"controller-runtime-holdfast-lock": 1.4, "etcd": 0.8, "holdfast-fresh": 0.016, "holdfast": 0.011,
	}
	f := File{Name: "failover.jsonl", Run: exampleRun}
	for round := 1; round <= rounds; round++ {
		for _, timing := range []string{longTiming, shortTiming} {
			for _, peer := range peerOrder {
				for _, c := range exampleCases {
					s := result.Sample{Measure: result.Failover, Peer: peer, Case: c.Name, Timing: timing, Round: round}
					s.Figures = exampleFigures(c, peer, around, takeover[peer])
					if round == 1 && timing == longTiming {
						s.Events = exampleEvents(c, peer, takeover[peer])
					}
					f.Samples = append(f.Samples, s)
				}
			}
		}
	}
	f.Samples = append(f.Samples,
		result.Sample{Measure: result.Failover, Peer: "etcd", Case: "kill", Timing: "1s/700ms/200ms", Limit: "not applicable: a session has whole seconds"},
		result.Sample{Measure: result.Failover, Peer: "holdfast", Case: "kill", Timing: "1s/700ms/200ms", Round: 1, Figures: map[string]float64{"takeover_seconds": 0.012}},
		result.Sample{Measure: result.Failover, Peer: "client-go", Case: "node-death", Timing: longTiming, Round: rounds + 1, Failed: "the laboratory could not be | mended"})
	return f
}

func exampleFigures(c Case, peer string, around func(float64) float64, takeover float64) map[string]float64 {
	mine := peer == "holdfast" || peer == "holdfast-fresh"
	figures := map[string]float64{"overlap_seconds": 0, "standby_requests_per_minute": around(24), "connections_total": 2}
	if mine {
		figures["standby_requests_per_minute"] = around(1.1)
	}
	switch {
	case c.Name == "handover":
		figures["handover_seconds"] = around(1.4)
		if mine {
			figures["handover_seconds"] = around(0.014)
		}
	case c.Takeover:
		figures["takeover_seconds"] = around(takeover)
		if c.Name == "kill" && !mine {
			figures["takeover_seconds"] = around(2) - 1
		}
	case mine:
		figures["kept"], figures["leases_lost_total"], figures["renewal_late_seconds"] = 1, 0, around(0.4)
	default:
		figures["kept"], figures["leases_lost_total"] = 0, 1
	}
	return figures
}

func exampleEvents(c Case, peer string, takeover float64) []event.Event {
	mine := peer == "holdfast" || peer == "holdfast-fresh"
	switch {
	case c.Name == "node-death" && mine:
		return nodeDeath(-0.7, 11.3, 11.31, 14.3+takeover)
	case c.Name == "node-death":
		return nodeDeath(-0.7, 10.4, 10.41, 14.3+takeover)
	case c.Name == "api-silent" && mine:
		return silent(0)
	case c.Name == "api-silent":
		return silent(10.9)
	case c.Name == "handover" && mine:
		return released(3, 3.05, 3.07)
	case c.Name == "handover":
		return released(3, 0.05, 0.8)
	}
	return nil
}

// exampleCost is contenders and leases at rest. Ours is flat, theirs grows.
func exampleCost() File {
	f := File{Name: "cost.jsonl", Run: exampleRun}
	for _, peer := range []string{"client-go", "holdfast"} {
		for _, scale := range []int{1, 10, 100, 1000} {
			n := float64(scale)
			figures := map[string]float64{"connections": n, "requests_per_minute": 30 * n, "heap_bytes_per_lease": 210e3}
			if peer == "holdfast" {
				figures = map[string]float64{"connections": 2, "requests_per_minute": 30 * n, "heap_bytes_per_lease": 19e3 + 40e3/n}
			}
			f.Samples = append(f.Samples, result.Sample{Measure: result.Leases, Peer: peer, Timing: longTiming, Scale: scale, Round: 1, Figures: figures})
		}
		for _, scale := range []int{2, 10, 100, 1000} {
			n, standby := float64(scale), 24.0
			if peer == "holdfast" {
				standby = 0.2
			}
			s := result.Sample{Measure: result.Rest, Peer: peer, Timing: longTiming, Scale: scale, Round: 1, Figures: map[string]float64{
				"connections": n, "requests_per_minute": 30 + standby*(n-1), "standby_requests_per_minute": standby, "resident_bytes_per_contender": 24e6 / math.Sqrt(n),
			}}
			if scale == 1000 {
				s.Limit = fmt.Sprintf("%d processes fit into memory", 200)
			}
			f.Samples = append(f.Samples, s)
		}
		f.Samples = append(f.Samples, result.Sample{Measure: result.Shortest, Peer: peer, Case: "rolling", Timing: shortestOf[peer], Round: 1, Figures: map[string]float64{
			"lease_seconds": lease(shortestOf[peer]).Seconds(), "longest_lost_seconds": 0.75, "window_seconds": 600, "trials_total": 9,
		}})
	}
	f.Samples = append(f.Samples, result.Sample{Measure: result.Shortest, Peer: "etcd", Case: "rolling", Limit: inapplicablePrefix + "it uses no API server"})
	return f
}

var shortestOf = map[string]string{"holdfast": "1s/667ms/133ms", "client-go": "1m3s/42s/8.4s"}

const exampleBenchmarks = `goos: linux
pkg: github.com/holdfast-go/holdfast/benchmarks/gobench
BenchmarkRenew/impl=holdfast-2   	    1000	    412345 ns/op	   20480 B/op	     160 allocs/op
BenchmarkRenew/impl=client-go-2  	    1000	    498765 ns/op	   24576 B/op	     181 allocs/op
BenchmarkRenew/impl=holdfast-2   	    1000	    409345 ns/op	   20480 B/op	     160 allocs/op
BenchmarkHedgeDecision-2         	50000000	        21.5 ns/op	       0 B/op	       0 allocs/op
PASS
`
