package report

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// sample is one of result.Failover.
func sample(peer, kase, figure string, v float64) result.Sample {
	return result.Sample{Measure: result.Failover, Peer: peer, Case: kase, Timing: longTiming, Figures: map[string]float64{figure: v}}
}

// of is an input of these samples.
func of(samples ...result.Sample) Input {
	return Input{Cases: exampleCases, Files: []File{{Name: "a.jsonl", Samples: samples}}}
}

func failed(s result.Sample) result.Sample {
	s.Figures, s.Failed = nil, "no laboratory"
	return s
}

func TestTargetsOfFailover(t *testing.T) {
	const takeover = "takeover_seconds"
	for name, c := range map[string]struct {
		judge   func(Input) []Target
		samples []result.Sample
		value   string
		verdict Verdict
		basis   string
	}{
		"takeover just met": {takeovers, []result.Sample{sample(baseline, "node-death", takeover, 40), sample(ours, "node-death", takeover, 1)},
			"40.0 times", Met, "medians 40 s (n=1) and 1 s (n=1)"},
		"takeover just missed does not read as met": {takeovers, []result.Sample{sample(baseline, "node-death", takeover, 39.99), sample(ours, "node-death", takeover, 1)},
			"39.9 times", Missed, ""},
		"ours before the lease ended": {takeovers, []result.Sample{sample(baseline, "node-death", takeover, 40), sample(ours, "node-death", takeover, -0.1)},
			"no ratio", Missed, "ours is not positive"},
		"theirs before the lease ended": {takeovers, []result.Sample{sample(baseline, "node-death", takeover, -0.1), sample(ours, "node-death", takeover, 0.1)},
			"–", NotMeasured, "theirs is not positive"},
		"theirs failed": {takeovers, []result.Sample{failed(sample(baseline, "node-death", takeover, 0)), sample(ours, "node-death", takeover, 1)},
			"–", NotMeasured, "1 of 1 of client-go without a figure"},
		"another scenario says nothing": {takeovers, []result.Sample{sample(baseline, "kill", takeover, 40), sample(ours, "kill", takeover, 1)},
			"–", NotMeasured, "neither peer"},
		"handover missed": {handovers, []result.Sample{sample(baseline, "handover", "handover_seconds", 1), sample(ours, "handover", "handover_seconds", 0.2)},
			"5.0 times", Missed, ""},
		"handover met": {handovers, []result.Sample{sample(baseline, "handover", "handover_seconds", 1), sample(ours, "handover", "handover_seconds", 0.01)},
			"100 times", Met, ""},
		"kept where theirs is lost": {losses, []result.Sample{sample(baseline, "api-silent", "kept", 0), sample(ours, "api-silent", "kept", 1)},
			"0", Met, "client-go lost 1 of 1, holdfast 0 of 1"},
		"lost where theirs is lost": {losses, []result.Sample{sample(baseline, "api-silent", "kept", 0), sample(ours, "api-silent", "kept", 1), sample(ours, "api-silent", "kept", 0)},
			"1", Missed, "holdfast 1 of 2"},
		"lost where theirs is kept": {losses, []result.Sample{sample(baseline, "api-silent", "kept", 1), sample(ours, "api-silent", "leases_lost_total", 1)},
			"1", Missed, ""},
		"both kept shows nothing": {losses, []result.Sample{sample(baseline, "api-silent", "kept", 1), sample(ours, "api-silent", "kept", 1)},
			"0", NothingToShow, "loses none either"},
		"ours failed is no lease kept": {losses, []result.Sample{sample(baseline, "api-silent", "kept", 0), failed(sample(ours, "api-silent", "", 0))},
			"–", NotMeasured, "1 of holdfast failed"},
		"a leader that dies loses its lease": {losses, []result.Sample{sample(baseline, "kill", "kept", 0), sample(ours, "kill", "kept", 0)},
			"–", NotMeasured, "no scenario"},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.judge(of(c.samples...))
			require.Len(t, got, 1)
			assert.Equal(t, c.value, got[0].Value)
			assert.Equal(t, c.verdict, got[0].Verdict, got[0].Basis)
			assert.Contains(t, got[0].Basis, c.basis)
		})
	}
}

func TestTargetsOfCost(t *testing.T) {
	rest := func(peer string, v float64) result.Sample {
		return result.Sample{Measure: result.Rest, Peer: peer, Scale: 2, Timing: longTiming, Figures: map[string]float64{"standby_requests_per_minute": v}}
	}
	leases := func(scale int, figure string, v float64) result.Sample {
		return result.Sample{Measure: result.Leases, Peer: ours, Scale: scale, Figures: map[string]float64{figure: v}}
	}
	for name, c := range map[string]struct {
		judge   func(Input) []Target
		samples []result.Sample
		value   string
		verdict Verdict
	}{
		"a tenth":                {standbys, []result.Sample{rest(baseline, 20), rest(ours, 2)}, "0.100", Met},
		"little more":            {standbys, []result.Sample{rest(baseline, 20), rest(ours, 2.001)}, "0.101", Missed},
		"none at all":            {standbys, []result.Sample{rest(baseline, 20), rest(ours, 0)}, "0.000", Met},
		"theirs none":            {standbys, []result.Sample{rest(baseline, 0), rest(ours, 0)}, "–", NotMeasured},
		"eight connections":      {connections, []result.Sample{leases(1000, "connections", 8)}, "8", Met},
		"the worst counts":       {connections, []result.Sample{leases(1000, "connections", 2), leases(1000, "connections", 9)}, "9", Missed},
		"a hundred prove little": {connections, []result.Sample{leases(100, "connections", 2)}, "–", NotMeasured},
		"heap met":               {heap, []result.Sample{leases(1000, "heap_bytes_per_lease", 25<<10)}, "25 KiB", Met},
		"heap missed":            {heap, []result.Sample{leases(1000, "heap_bytes_per_lease", 26<<10)}, "26 KiB", Missed},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.judge(of(c.samples...))
			require.Len(t, got, 1)
			assert.Equal(t, c.value, got[0].Value)
			assert.Equal(t, c.verdict, got[0].Verdict, got[0].Basis)
		})
	}
	assert.Contains(t, connections(of(leases(100, "connections", 2)))[0].Basis, "the largest number measured is 100")
}

func TestAThousandLeasesAreJudgedForEachTiming(t *testing.T) {
	at := func(timing, limit string, v float64) result.Sample {
		return result.Sample{Measure: result.Leases, Peer: ours, Scale: 1000, Timing: timing, Limit: limit, Figures: map[string]float64{"connections": v}}
	}
	got := connections(of(at("15s/10s/2s", "the machine was busy", 9), at("1m0s/40s/8s", "", 7)))
	require.Len(t, got, 2)
	by := map[string]Target{}
	for _, target := range got {
		by[target.Under] = target
	}
	busy, calm := by["1,000 leases in one process, 15 s / 10 s / 2 s"], by["1,000 leases in one process, 60 s / 40 s / 8 s"]
	assert.Equal(t, Missed, busy.Verdict)
	assert.Contains(t, busy.Basis, "; limit: the machine was busy")
	assert.Equal(t, Met, calm.Verdict)
}

func TestACurveOfCostKeepsToOneTiming(t *testing.T) {
	at := func(scale int, timing string, v float64) result.Sample {
		return result.Sample{Measure: result.Leases, Peer: ours, Scale: scale, Timing: timing, Figures: map[string]float64{"connections": v}}
	}
	all := groups(of(at(10, "15s/10s/2s", 5), at(1000, "1m0s/40s/8s", 7), at(1000, "15s/10s/2s", 9)), result.Leases)
	main, note := ofMainTiming(all)
	curves := seriesOf(main, "connections", 1)
	require.Len(t, curves, 1)
	assert.Equal(t, []scaled{{10, 5, 5, 5}, {1000, 9, 9, 9}}, curves[0].points)
	assert.Equal(t, " Leases of 15 s / 10 s / 2 s; the table has others too.", note)

	_, note = ofMainTiming(groups(of(at(10, "15s/10s/2s", 5)), result.Leases))
	assert.Empty(t, note)
}

func TestTargetOfAllocations(t *testing.T) {
	bench := func(name, impl string, allocs float64) Benchmark {
		return Benchmark{Name: name, Impl: impl, Values: map[string]float64{"allocs/op": allocs}}
	}
	for name, c := range map[string]struct {
		benchmarks []Benchmark
		value      string
		verdict    Verdict
	}{
		"as many":        {[]Benchmark{bench("Renew", baseline, 180), bench("Renew", ours, 180)}, "1.000", Met},
		"one more":       {[]Benchmark{bench("Renew", baseline, 180), bench("Renew", ours, 181)}, "1.006", Missed},
		"ours alone":     {[]Benchmark{bench("Renew", ours, 180)}, "–", NotMeasured},
		"something else": {[]Benchmark{bench("Dial", baseline, 180), bench("Dial", ours, 180)}, "–", NotMeasured},
	} {
		t.Run(name, func(t *testing.T) {
			got := allocations(Input{Benchmarks: c.benchmarks})
			require.Len(t, got, 1)
			assert.Equal(t, c.value, got[0].Value)
			assert.Equal(t, c.verdict, got[0].Verdict, got[0].Basis)
		})
	}
}
