package report

import (
	"fmt"
	"strings"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// drawing is one plot of the report.
type drawing struct {
	// file is its name, section where it belongs: a case or a measure.
	file, section string
	// title says what is to be seen, to readers who do not see it too.
	title string
	svg   []byte
}

// drawings returns every plot that the input has figures for, and says which
// it has none for.
func drawings(in Input) (all []drawing, undone []string, err error) {
	for _, draw := range []func(Input) ([]drawing, []string, error){storyDrawing, stripDrawings, boardDrawings, growthDrawings} {
		more, missing, err := draw(in)
		if err != nil {
			return nil, nil, err
		}
		all, undone = append(all, more...), append(undone, missing...)
	}
	return all, undone, nil
}

// fileName joins words to the name of an SVG file.
func fileName(words ...string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r + ('a' - 'A')
		}
		return '-'
	}, strings.Join(words, "-"))
	return clean + ".svg"
}

// stripDrawings draws the distribution of takeovers for each scenario that has
// one, with each timing.
func stripDrawings(in Input) (all []drawing, undone []string, err error) {
	failover := groups(in, result.Failover)
	for _, c := range in.Cases {
		if !c.Takeover {
			continue
		}
		figure, _, axis := mainFigure(c)
		measured := false
		for _, timing := range timings(failover, c.Name) {
			s := strip{
				title: fmt.Sprintf("%s, lease %s", c.Name, timingWords(timing)),
				note:  sentence(c.Text) + " Each dot is one run, each bar a median.",
				axis:  axis,
			}
			any := false
			for _, g := range failover {
				if g.kase == c.Name && g.timing == timing {
					values := g.values(figure)
					any = any || len(values) > 0
					s.rows = append(s.rows, stripRow{g.peer, values, len(g.samples) - len(values), g.inapplicable != ""})
				}
			}
			if !any {
				continue
			}
			measured = true
			svg, err := s.draw()
			if err != nil {
				return nil, nil, err
			}
			all = append(all, drawing{file: fileName("takeover", c.Name, timing), section: c.Name, title: "Distribution: " + s.title, svg: svg})
		}
		if !measured {
			undone = append(undone, fmt.Sprintf("distribution of %s: no sample has %s", c.Name, figure))
		}
	}
	return all, undone, nil
}

// timings returns those with which a case has samples.
func timings(all []group, kase string) []string {
	var of []group
	for _, g := range all {
		if g.kase == kase {
			of = append(of, g)
		}
	}
	return distinct(of, func(g group) string { return g.timing })
}

// recorded returns the timeline of the first sample of g that has events and
// did not fail, or why there is none.
func recorded(g group) (Timeline, error) {
	err := fmt.Errorf("no sample that went well holds events")
	for _, s := range g.ok() {
		if len(s.Events) == 0 {
			continue
		}
		var t Timeline
		if t, err = NewTimeline(s); err == nil {
			return t, nil
		}
	}
	return Timeline{}, err
}

// oneRun says what a timeline shows.
const oneRun = "The first recorded run of each peer, with its own fault at zero."

// boardDrawings draws who led when, for each scenario and timing.
func boardDrawings(in Input) (all []drawing, undone []string, err error) {
	failover := groups(in, result.Failover)
	for _, kase := range distinct(failover, func(g group) string { return g.kase }) {
		for _, timing := range timings(failover, kase) {
			p := panel{}
			for _, g := range failover {
				if g.kase != kase || g.timing != timing {
					continue
				}
				line, err := recorded(g)
				if err != nil && len(g.samples) == 0 {
					continue // not applicable
				}
				if err != nil {
					undone = append(undone, fmt.Sprintf("timeline of %s, %s, %s: %v", kase, timing, g.peer, err))
					continue
				}
				p.lines = append(p.lines, line)
			}
			if len(p.lines) == 0 {
				continue
			}
			p.title = "Fault: " + strings.Join(p.lines[0].Faults, "; ")
			b := board{
				title:  fmt.Sprintf("Who led when: %s, lease %s", kase, timingWords(timing)),
				panels: []panel{p},
				notes:  []string{oneRun},
			}
			svg, err := b.draw()
			if err != nil {
				return nil, nil, err
			}
			all = append(all, drawing{file: fileName("timeline", kase, timing), section: kase, title: b.title, svg: svg})
		}
	}
	return all, undone, nil
}

// growthDrawings draws what contenders and leases cost as they get more.
func growthDrawings(in Input) (all []drawing, undone []string, err error) {
	for _, g := range []struct {
		measure, title, axis string
		panels               []growthPanel
	}{
		{result.Leases, "What a process costs that holds many leases", "leases in one process", []growthPanel{
			{figure: "connections", title: "connections", bound: mostConnections, boundAt: manyLeases, unit: 1},
			{figure: "requests_per_minute", title: "API requests per minute", unit: 1},
			{figure: "heap_bytes_per_lease", title: "heap per lease, KiB", bound: mostHeapPerLease / 1024, boundAt: manyLeases, unit: 1024},
		}},
		{result.Rest, "What contenders for one lease cost at rest", "contenders", []growthPanel{
			{figure: "connections", title: "connections", unit: 1},
			{figure: "requests_per_minute", title: "API requests per minute", unit: 1},
			{figure: "resident_bytes_per_contender", title: "memory per contender, KiB", unit: 1024},
		}},
	} {
		measured, note := ofMainTiming(groups(in, g.measure))
		drawn := growth{title: g.title, axis: g.axis, notes: []string{"Medians, with the spread where there are several samples. Zero lies on the lower edge." + note}}
		for _, p := range g.panels {
			if p.series = seriesOf(measured, p.figure, p.unit); len(p.series) == 0 {
				undone = append(undone, fmt.Sprintf("%s: no sample has %s", g.title, p.figure))
				continue
			}
			drawn.panels = append(drawn.panels, p)
		}
		if len(drawn.panels) == 0 {
			continue
		}
		svg, err := drawn.draw()
		if err != nil {
			return nil, nil, err
		}
		all = append(all, drawing{file: fileName(g.measure), section: g.measure, title: g.title, svg: svg})
	}
	return all, undone, nil
}

// sentence begins words with a capital and ends them with a stop.
func sentence(words string) string {
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:] + "."
}
