package report

import (
	"fmt"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// StoryFile is the plot that tells the story by itself.
const StoryFile = "story.svg"

// storyPanels are what shows what this library is for.
var storyPanels = []struct{ kase, title string }{
	{"node-death", "The leader's node and the API server that everyone is connected to go silent together"},
	{"api-silent", "Only that API server goes silent; two healthy ones stand next to it"},
	{"pod-killed", "The leader's process crashes; its node and the API servers are well"},
	{"rollout-3", "Three replicas are replaced, in a rolling update"},
}

// storyDrawing draws client-go and this library under both faults, with the
// longest lease with which both were recorded.
func storyDrawing(in Input) (all []drawing, undone []string, err error) {
	failover := groups(in, result.Failover)
	b := board{title: fmt.Sprintf("Who leads after a fault: %s and %s", baseline, ours), notes: []string{oneRun}}
	for _, s := range storyPanels {
		p, timing, ok := storyPanel(failover, s.kase)
		if !ok {
			undone = append(undone, fmt.Sprintf("%s, %s: not both of %s and %s were recorded with one timing", StoryFile, s.kase, baseline, ours))
			continue
		}
		p.title = fmt.Sprintf("%s (lease %s)", s.title, timingWords(timing))
		b.panels = append(b.panels, p)
	}
	if len(b.panels) == 0 {
		return nil, undone, nil
	}
	svg, err := b.draw()
	if err != nil {
		return nil, nil, err
	}
	return []drawing{{file: StoryFile, section: "story", title: b.title, svg: svg}}, undone, nil
}

// storyPanel returns the panel of a case and its timing.
func storyPanel(failover []group, kase string) (panel, string, bool) {
	for _, timing := range timings(failover, kase) {
		var p panel
		for _, peer := range []string{baseline, ours} {
			g := find(failover, cell{measure: result.Failover, kase: kase, timing: timing, peer: peer})
			if line, err := recorded(g); err == nil {
				p.lines = append(p.lines, line)
			}
		}
		if len(p.lines) == 2 {
			return p, timing, true
		}
	}
	return panel{}, "", false
}
