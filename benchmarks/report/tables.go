package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// failovers shows each scenario: its plots, and a table of its main figure for
// each timing and peer.
func failovers(d *document, in Input, drawn []drawing) {
	all := groups(in, result.Failover)
	if len(all) == 0 {
		return
	}
	d.heading(2, "Failover")
	d.paragraph("Median and p99 are samples (nearest rank), so below 100 samples p99 is the largest. " +
		"\"Failed\" samples have no figures and are [listed](#failed-samples). \"Lost\" counts the samples in which the leader did not keep the lease. " +
		"Overlap is the longest time that the guarded work of two contenders ran at once.")
	for _, name := range distinct(all, func(g group) string { return g.kase }) {
		c := Case{Name: name}
		if at := slices.IndexFunc(in.Cases, func(c Case) bool { return c.Name == name }); at >= 0 {
			c = in.Cases[at]
		}
		d.heading(3, name)
		if c.Text != "" {
			d.paragraph("%s", sentence(c.Text))
		}
		figures(d, drawn, name)
		scenarioTable(d, all, c)
	}
}

// mainFigure returns the figure that a scenario is about, what it is in a sentence, and
// how an axis of it is called.
func mainFigure(c Case) (figure, words, axis string) {
	switch {
	case c.Name == "handover":
		return "handover_seconds", "Handover: from SIGTERM to the next leader's work.", "from SIGTERM to the next leader's work (logarithmic)"
	case c.Leaderless:
		return "leaderless_seconds", "For how long nobody led.", "without a leader (logarithmic)"
	case c.Takeover:
		return "takeover_seconds", "Takeover: from the end of the old lease to the next leader's work.", "from the end of the old lease to the next leader's work (logarithmic)"
	default:
		return "renewal_late_seconds", "Renewal of a kept lease, late by at most:", ""
	}
}

func scenarioTable(d *document, all []group, c Case) {
	figure, words, _ := mainFigure(c)
	d.paragraph("%s", words)
	head := slices.Concat([]string{"timing", "peer"}, statHead,
		[]string{">failed", ">lost", ">overlap", ">standby requests", ">connections"})
	var rows [][]string
	for _, g := range all {
		if g.kase != c.Name {
			continue
		}
		lostWords := "–"
		if lost, of := g.lost(); of > 0 && !c.Takeover {
			lostWords = fmt.Sprintf("%d of %d", lost, of)
		}
		overlap := "–"
		if s := g.stat("overlap_seconds"); s.N > 0 {
			overlap = seconds(s.Max)
		}
		failed := fmt.Sprintf("%d of %d", g.failed(), len(g.samples))
		if g.inapplicable != "" && len(g.samples) == 0 {
			failed = "not applicable"
		}
		rows = append(rows, slices.Concat([]string{g.timing, g.peer}, statCells(figure, g.stat(figure)), []string{
			failed, lostWords, overlap,
			brief("standby_requests_per_minute", g.stat("standby_requests_per_minute")),
			brief("connections_total", g.stat("connections_total")),
		}))
	}
	d.table(head, rows)
}

// costs shows what contenders and leases cost.
func costs(d *document, in Input, drawn []drawing) {
	for _, m := range []struct{ measure, title, scale string }{
		{result.Rest, "Cost at rest", ">contenders"},
		{result.Leases, "Cost of many leases in one process", ">leases"},
	} {
		all := groups(in, m.measure)
		if len(all) == 0 {
			continue
		}
		d.heading(2, m.title)
		figures(d, drawn, m.measure)
		d.paragraph("Median, and the spread where there are several samples.")
		names := figureNames(all)
		head := []string{"case", "timing", m.scale, "peer", ">n", ">failed"}
		for _, name := range names {
			head = append(head, ">"+strings.ReplaceAll(name, "_", " "))
		}
		var rows [][]string
		for _, g := range all {
			row := []string{g.kase, g.timing, fmt.Sprint(g.scale), g.peer, fmt.Sprint(len(g.ok())), fmt.Sprintf("%d of %d", g.failed(), len(g.samples))}
			for _, name := range names {
				row = append(row, brief(name, g.stat(name)))
			}
			rows = append(rows, row)
		}
		d.table(head, rows)
	}
}

// figureNames returns the names of all figures of the groups, sorted.
func figureNames(all []group) []string {
	names := map[string]bool{}
	for _, g := range all {
		for _, s := range g.ok() {
			for name := range s.Figures {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// benchmarks shows the Go benchmarks.
func benchmarks(d *document, in Input) {
	if len(in.Benchmarks) == 0 {
		return
	}
	d.heading(2, "Go benchmarks")
	d.paragraph("Median, and the spread where there are several. `benchstat -col /impl` compares the same text.")
	var rows [][]string
	for _, name := range benchmarkNames(in.Benchmarks) {
		var impls []string
		for _, b := range in.Benchmarks {
			if b.Name == name && !slices.Contains(impls, b.Impl) {
				impls = append(impls, b.Impl)
			}
		}
		slices.SortFunc(impls, comparePeers)
		for _, impl := range impls {
			of := func(unit string) Stat { return benchmarkStat(in.Benchmarks, name, impl, unit) }
			time := of("ns/op")
			shown := func(s Stat, write func(float64) string) string {
				switch {
				case s.N == 0:
					return "–"
				case s.Min == s.Max:
					return write(s.Median)
				}
				return fmt.Sprintf("%s (%s … %s)", write(s.Median), write(s.Min), write(s.Max))
			}
			rows = append(rows, []string{name, impl, fmt.Sprint(time.N),
				shown(time, func(ns float64) string { return seconds(ns / 1e9) }), shown(of("B/op"), size), shown(of("allocs/op"), digits)})
		}
	}
	d.table([]string{"benchmark", "of", ">n", ">time", ">memory", ">allocations"}, rows)
}

// composeFigures writes the table of every figure there is.
func composeFigures(in Input) string {
	var d document
	d.heading(1, "Every figure")
	d.paragraph("Of the samples that did not fail. n is how many of them show the figure.")
	for _, measure := range []string{result.Failover, result.Shortest, result.Rest, result.Leases} {
		all := groups(in, measure)
		if len(all) == 0 {
			continue
		}
		d.heading(2, measure)
		head := slices.Concat([]string{"case", "timing", ">scale", "peer", "figure"}, statHead)
		var rows [][]string
		for _, g := range all {
			for _, name := range figureNames([]group{g}) {
				rows = append(rows, slices.Concat([]string{g.kase, g.timing, scaleWords(g.scale), g.peer, name}, statCells(name, g.stat(name))))
			}
		}
		d.table(head, rows)
	}
	return d.text.String()
}

func scaleWords(scale int) string {
	if scale == 0 {
		return ""
	}
	return fmt.Sprint(scale)
}
