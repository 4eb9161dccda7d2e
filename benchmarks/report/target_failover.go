package report

import (
	"fmt"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// takeovers: after node death, how much closer to the end of the lease.
func takeovers(in Input) []Target {
	t := Target{
		Name:   "takeover after node death, over the end of the lease",
		Wanted: fmt.Sprintf("≥ %d times closer than %s", takeoverTimes, baseline),
	}
	return perTiming(in, t, "node-death", "takeover_seconds", takeoverTimes)
}

// handovers: how much faster after SIGTERM.
func handovers(in Input) []Target {
	t := Target{
		Name:   "handover",
		Wanted: fmt.Sprintf("≥ %d times faster than %s", handoverTimes, baseline),
	}
	return perTiming(in, t, "handover", "handover_seconds", handoverTimes)
}

// takeoverFloors and handoverFloors: how near to what nobody could be faster than, which was
// measured right after each run.
func takeoverFloors(in Input) []Target {
	return perFloor(in, Target{Name: "takeover after a kill, over the end of the lease", Under: "kill"}, "takeover_seconds", "takeover_floor_seconds")
}

func handoverFloors(in Input) []Target {
	return perFloor(in, Target{Name: "handover", Under: "handover"}, "handover_seconds", "handover_floor_seconds")
}

// perFloor judges a figure of ours against its floor, for each timing with which both were
// measured.
func perFloor(in Input, t Target, figure, floor string) []Target {
	t.Wanted = fmt.Sprintf("≤ %d times the floor", floorTimes)
	return each(in, t, t.Under, "it was not measured", func(t Target, _, us group) Target {
		if us.stat(floor).N == 0 {
			return unmeasured(t, "no sample has its floor")
		}
		t = share(t, us.stat(floor), us.stat(figure), floorTimes, seconds)
		if t.Basis = fmt.Sprintf("medians: floor %s, %s %s (n=%d)", seconds(us.stat(floor).Median), ours, seconds(us.stat(figure).Median), us.stat(figure).N); t.Verdict != NotMeasured {
			t.Value += " times"
		}
		return t
	})
}

// ends: for how long at most nobody leads after the end of a leader in a Pod.
func ends(in Input) []Target {
	return perBound(in, Target{Name: "without a leader after the end of a leader's process"}, "leaderless_seconds",
		func(c Case) (float64, string) { return c.Most, "≤ " + seconds(c.Most) })
}

// rollouts: how often the leader changes at most in a rolling update.
func rollouts(in Input) []Target {
	return perBound(in, Target{Name: "changes of leader in a rolling update"}, "changes_total",
		func(c Case) (float64, string) { return float64(c.MostChanges), fmt.Sprintf("≤ %d", c.MostChanges) })
}

// perBound judges the largest value of a figure in each case that has a bound on it, for
// each timing with which it was measured.
func perBound(in Input, t Target, figure string, bound func(Case) (most float64, wanted string)) []Target {
	var judged []Target
	for _, c := range in.Cases {
		most, wanted := bound(c)
		if most == 0 {
			continue
		}
		t.Wanted = wanted
		judged = append(judged, each(in, t, c.Name, neither, func(t Target, theirs, us group) Target {
			t = atMost(t, us.stat(figure), most, figure)
			if of := theirs.stat(figure); of.N > 0 {
				t.Basis += fmt.Sprintf("; %s: median %s, largest %s (n=%d)", baseline, value(figure, of.Median), value(figure, of.Max), of.N)
			}
			t.Basis += without(us, figure)
			return t
		})...)
	}
	return judged
}

// neither says why a target of both peers is not measured.
const neither = "neither peer was measured"

// each judges a case for each timing with which either of the two peers was measured;
// why is what it says where there is none.
func each(in Input, t Target, kase, why string, judge func(t Target, theirs, us group) Target) []Target {
	all := groups(in, result.Failover)
	var judged []Target
	for _, timing := range timingsOf(all, kase) {
		t.Under = kase + ", " + timingWords(timing)
		of := func(peer string) group {
			return find(all, cell{measure: result.Failover, kase: kase, timing: timing, peer: peer})
		}
		judged = append(judged, judge(t, of(baseline), of(ours)))
	}
	if len(judged) == 0 {
		t.Under = kase
		return []Target{unmeasured(t, why)}
	}
	return judged
}

// perTiming judges the ratio of one figure of one scenario for each timing
// with which either of the two peers was measured.
func perTiming(in Input, t Target, kase, figure string, times float64) []Target {
	return each(in, t, kase, neither, func(t Target, theirs, us group) Target {
		t = timesCloser(t, theirs.stat(figure), us.stat(figure), times)
		t.Basis += without(theirs, figure) + without(us, figure)
		return t
	})
}

// without says how many samples of g have failed or lack the figure, or that
// there can be none.
func without(g group, figure string) string {
	if g.inapplicable != "" {
		return fmt.Sprintf("; not applicable to %s: %s", g.peer, g.inapplicable)
	}
	if missing := len(g.samples) - len(g.values(figure)); missing > 0 {
		return fmt.Sprintf("; %d of %d of %s without a figure", missing, len(g.samples), g.peer)
	}
	return ""
}

// timingsOf returns the timings with which either of the two peers has samples
// of a scenario.
func timingsOf(all []group, kase string) []string {
	var of []group
	for _, g := range all {
		if g.kase == kase && (g.peer == ours || g.peer == baseline) {
			of = append(of, g)
		}
	}
	return distinct(of, func(g group) string { return g.timing })
}

// losses: in each scenario that a leader should survive, and with each timing,
// no lease lost where the baseline loses any. Where the baseline loses none
// there is nothing to show, but a loss of ours is a miss there too.
func losses(in Input) []Target {
	t := Target{Name: "leases lost", Wanted: "none where " + baseline + " loses any"}
	all := groups(in, result.Failover)
	var judged []Target
	for _, c := range in.Cases {
		if c.Takeover {
			continue
		}
		if len(timingsOf(all, c.Name)) > 0 {
			judged = append(judged, each(in, t, c.Name, neither, loss)...)
		}
	}
	if len(judged) == 0 {
		return []Target{unmeasured(t, "no scenario that a leader should survive was measured")}
	}
	return judged
}

func loss(t Target, theirs, us group) Target {
	lost, of := theirs.lost()
	weLost, weOf := us.lost()
	t.Basis = fmt.Sprintf("%s lost %d of %d, %s %d of %d", baseline, lost, of, ours, weLost, weOf)
	for _, g := range []group{theirs, us} {
		if g.inapplicable != "" {
			t.Basis += fmt.Sprintf("; not applicable to %s: %s", g.peer, g.inapplicable)
		}
		if n := g.failed(); n > 0 {
			t.Basis += fmt.Sprintf("; %d of %s failed", n, g.peer)
		}
	}
	switch {
	case weOf == 0 || of == 0 && weLost == 0:
		return unmeasured(t, t.Basis)
	case lost == 0 && weLost == 0:
		t.Value, t.Verdict = "0", NothingToShow
		t.Basis += ": " + baseline + " loses none either"
		return t
	}
	t.Value = fmt.Sprint(weLost)
	return judge(t, weLost == 0)
}
