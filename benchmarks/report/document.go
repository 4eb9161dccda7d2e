package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/markdown"
	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// compose writes the report. The drawings are those of the input, and undone
// says which are missing.
func compose(in Input, drawn []drawing, undone []string) string {
	var d document
	targets := Targets(in)
	d.heading(1, "Benchmarks: report")
	warnings(&d, in)
	d.paragraph("%s", summary(targets))
	figures(&d, drawn, "story")
	d.heading(2, "Targets")
	d.paragraph("Computed from the samples of this report alone. A ratio is one of medians; a bound holds for the worst sample.")
	var rows [][]string
	for _, t := range targets {
		rows = append(rows, []string{t.Name, t.Under, t.Wanted, t.Value, verdictWords(t.Verdict), t.Basis})
	}
	d.table([]string{"what", "under", "target", ">value", "verdict", "computed from"}, rows)

	runs(&d, in)
	failovers(&d, in, drawn)
	shortest(&d, in)
	costs(&d, in, drawn)
	benchmarks(&d, in)
	failures(&d, in)
	missing(&d, in, undone)
	d.paragraph("Every figure of every sample, summed up: [figures.md](figures.md).")
	return d.text.String()
}

// verdictWords makes a miss stand out.
func verdictWords(v Verdict) string {
	if v == Missed {
		return "**missed**"
	}
	return string(v)
}

// summary counts the verdicts.
func summary(targets []Target) string {
	n := map[Verdict]int{}
	for _, t := range targets {
		n[t.Verdict]++
	}
	return fmt.Sprintf("%s met, %d missed, %d with nothing to show, %d not measured.", count(n[Met], "target", "targets"), n[Missed], n[NothingToShow], n[NotMeasured])
}

func warnings(d *document, in Input) {
	if machines := in.machines(); len(machines) > 1 {
		d.paragraph("**The files are from %d different machines: figures of different files do not compare.**", len(machines))
	}
	for _, f := range in.Files {
		if f.Cut != "" {
			d.paragraph("**%s: %s.**", f.Name, f.Cut)
		}
	}
}

// figures shows the drawings of a section.
func figures(d *document, drawn []drawing, section string) {
	for _, one := range drawn {
		if one.section == section {
			d.image(one)
		}
	}
}

// runs says what was run, where and with what.
func runs(d *document, in Input) {
	d.heading(2, "Runs")
	if len(in.Files) == 0 {
		d.paragraph("No file of results was given.")
	}
	for _, f := range in.Files {
		d.heading(3, f.Name)
		r := f.Run
		budget := "not limited"
		if r.Budget != "" {
			budget = "limited: " + r.Budget
		}
		failed, measured := 0, 0
		for _, s := range f.Samples {
			if _, is := inapplicable(s); is {
				continue
			}
			measured++
			if s.Failed != "" {
				failed++
			}
		}
		items := []string{
			fmt.Sprintf("command: `%s`", r.Command),
			fmt.Sprintf("seed: %d", r.Seed),
			"began: " + r.Began.UTC().Format(time.RFC3339),
			"budget: " + budget,
			"machine: " + machineWords(r.Machine),
			fmt.Sprintf("samples: %d, of which %d failed", measured, failed),
		}
		if len(r.Versions) > 0 {
			var versions []string
			for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
				versions = append(versions, name+" "+r.Versions[name])
			}
			items = append(items, "versions: "+strings.Join(versions, ", "))
		}
		if f.Cut == "the file is empty" {
			items = []string{f.Cut}
		}
		d.list(items)
	}
}

func machineWords(m result.Machine) string {
	words := []string{strings.Trim(m.OS+"/"+m.Arch, "/")}
	if m.Kernel != "" {
		words = append(words, "kernel "+m.Kernel)
	}
	if m.CPU != "" {
		words = append(words, m.CPU)
	}
	words = append(words, count(m.Cores, "core", "cores"))
	if m.Memory > 0 {
		words = append(words, size(float64(m.Memory)))
	}
	return strings.Join(words, ", ")
}

// failures names every sample that failed, and where the laboratory came to
// its limit.
func failures(d *document, in Input) {
	var failed, limits, not []string
	for _, s := range in.samples() {
		at := sampleWords(s)
		if why, is := inapplicable(s); is {
			not = append(not, at+": "+markdown.InCell(why))
			continue
		}
		if s.Failed != "" {
			failed = append(failed, at+": "+markdown.InCell(s.Failed))
		}
		if s.Limit != "" {
			limits = append(limits, at+": "+markdown.InCell(s.Limit))
		}
	}
	d.heading(2, "Failed samples")
	d.paragraph("%s failed.", count(len(failed), "sample", "samples"))
	d.list(failed)
	if len(not) > 0 {
		d.heading(2, "Not applicable")
		d.list(not)
	}
	if len(limits) > 0 {
		d.heading(2, "Limits of the laboratory")
		d.list(limits)
	}
}

// sampleWords says which sample it is.
func sampleWords(s result.Sample) string {
	words := []string{s.Measure, s.Peer}
	if s.Case != "" {
		words = append(words, s.Case)
	}
	if s.Timing != "" {
		words = append(words, s.Timing)
	}
	if s.Scale != 0 {
		words = append(words, fmt.Sprintf("scale %d", s.Scale))
	}
	if s.Round != 0 {
		words = append(words, fmt.Sprintf("round %d", s.Round))
	}
	return strings.Join(words, ", ")
}

// missing says what the report cannot show.
func missing(d *document, in Input, undone []string) {
	d.heading(2, "Not measured")
	items := absent(in)
	for _, u := range undone {
		items = append(items, "no plot: "+u)
	}
	if len(items) == 0 {
		items = []string{"Nothing is missing."}
	}
	d.list(items)
}

// absent names the measures and scenarios without a figure, and the peers that
// lack one where others have it.
func absent(in Input) []string {
	var items []string
	for _, measure := range []string{result.Failover, result.Shortest, result.Rest, result.Leases} {
		if len(groups(in, measure)) == 0 {
			items = append(items, fmt.Sprintf("%s: no sample", measure))
		}
	}
	if len(in.Benchmarks) == 0 {
		items = append(items, "Go benchmarks: none")
	}
	all := groups(in, result.Failover)
	if len(all) == 0 {
		return items
	}
	for _, c := range in.Cases {
		if !slices.ContainsFunc(all, func(g group) bool { return g.kase == c.Name }) {
			items = append(items, fmt.Sprintf("scenario %s: no sample", c.Name))
		}
	}
	peers := distinct(all, func(g group) string { return g.peer })
	slices.SortFunc(peers, comparePeers)
	for _, kase := range distinct(all, func(g group) string { return g.kase }) {
		for _, timing := range timings(all, kase) {
			for _, peer := range peers {
				g := find(all, cell{measure: result.Failover, kase: kase, timing: timing, peer: peer})
				switch {
				case g.inapplicable != "":
				case len(g.samples) == 0:
					items = append(items, fmt.Sprintf("%s, %s: no sample of %s", kase, timing, peer))
				case len(g.ok()) == 0:
					items = append(items, fmt.Sprintf("%s, %s: all %d of %s failed", kase, timing, len(g.samples), peer))
				}
			}
		}
	}
	return items
}
