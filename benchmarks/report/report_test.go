package report

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/result"
)

// keep leaves the report of made-up figures where it can be looked at.
var keep = flag.String("keep-example", "", "folder to write the report of made-up figures to")

// example is a whole input of made-up figures.
func example(t *testing.T) Input {
	t.Helper()
	benchmarks, err := ParseBenchmarks(strings.NewReader(exampleBenchmarks))
	require.NoError(t, err)
	return Input{Files: []File{exampleFailover(9), exampleCost()}, Benchmarks: benchmarks, Cases: exampleCases}
}

// files returns the content of every file of a folder by name.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		all[e.Name()] = string(content)
	}
	return all
}

func written(t *testing.T, in Input) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "results")
	require.NoError(t, Write(dir, in))
	return files(t, dir)
}

func TestTheSameInputGivesTheSameBytes(t *testing.T) {
	first := written(t, example(t))
	for range 5 {
		require.Equal(t, first, written(t, example(t)))
	}
	if *keep != "" {
		require.NoError(t, Write(*keep, example(t)))
	}
}

func TestEveryPlotIsWholeAndShown(t *testing.T) {
	all := written(t, example(t))
	assert.Subset(t, slices.Collect(maps.Keys(all)), []string{
		"report.md", "figures.md", StoryFile, "takeover-node-death-15s-10s-2s.svg", "takeover-handover-3s-2s-500ms.svg",
		"timeline-node-death-15s-10s-2s.svg", "timeline-api-silent-15s-10s-2s.svg", "cost-of-leases.svg", "cost-at-rest.svg",
	})
	for name, content := range all {
		if !strings.HasSuffix(name, ".svg") {
			continue
		}
		decoder := xml.NewDecoder(strings.NewReader(content))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, name)
		}
		assert.Contains(t, all["report.md"], "]("+name+")", "the report shows it")
		assert.NotContains(t, content, "NaN", name)
		assert.NotContains(t, content, "Inf", name)
	}
}

func TestTheReportNamesWhatFailedAndWhereItRan(t *testing.T) {
	md := written(t, example(t))["report.md"]
	for _, says := range []string{
		"`compare -seed 7`", "seed: 7", "budget: limited: 8m0s", "kernel 6.1", "kube-apiserver v1.37.2",
		"1 sample failed", "failover, client-go, node-death, 15s/10s/2s, round 10: the laboratory could not be \\| mended",
		"1 of 10", "200 processes fit into memory",
	} {
		assert.Contains(t, md, says)
	}
}

func TestWhatCannotBePlayedIsNeitherASampleNorMissing(t *testing.T) {
	in := of(
		result.Sample{Measure: result.Failover, Peer: "etcd", Case: "api-silent", Timing: longTiming, Limit: "not applicable: it has no API server"},
		result.Sample{Measure: result.Failover, Peer: "client-go", Case: "node-death", Timing: longTiming, Limit: "not applicable: whole seconds"},
		sample("holdfast", "node-death", "takeover_seconds", 0.01),
	)
	all := written(t, in)
	md := all["report.md"]
	assert.Contains(t, md, "samples: 1, of which 0 failed")
	assert.Contains(t, md, "failover, etcd, api-silent, 15s/10s/2s: it has no API server")
	assert.NotContains(t, md, "api-silent, 15s/10s/2s: no sample of etcd")
	assert.Contains(t, md, "api-silent, 15s/10s/2s: no sample of holdfast")
	assert.Contains(t, md, "not applicable to client-go: whole seconds")
	assert.Contains(t, all["takeover-node-death-15s-10s-2s.svg"], ">not applicable<")
	assert.NotContains(t, md, "Limits of the laboratory")
}

func TestAnEmptyOrPartialInputSaysWhatWasNotMeasured(t *testing.T) {
	onlyOurs := Input{Cases: exampleCases, Files: []File{{Name: "a.jsonl", Run: exampleRun, Samples: []result.Sample{
		{Measure: result.Failover, Peer: "holdfast", Case: "node-death", Timing: longTiming, Round: 1, Figures: map[string]float64{"takeover_seconds": 0.01}},
	}}}}
	allFailed := Input{Cases: exampleCases, Files: []File{{Name: "a.jsonl", Run: exampleRun, Samples: []result.Sample{
		{Measure: result.Failover, Peer: "holdfast", Case: "api-silent", Timing: longTiming, Round: 1, Failed: "no laboratory"},
		{Measure: result.Leases, Peer: "holdfast", Scale: 1000, Failed: "no memory"},
	}}}}
	zeros := Input{Cases: exampleCases, Files: []File{{Name: "a.jsonl", Samples: []result.Sample{
		{Measure: result.Leases, Peer: "holdfast", Scale: 10, Figures: map[string]float64{"connections": 0, "requests_per_minute": 0}},
		{Measure: result.Failover, Peer: "odd", Case: "unheard of", Timing: "soon", Figures: map[string]float64{"takeover_seconds": -3}},
		{Measure: result.Failover, Peer: "odd", Case: "kill", Timing: "soon", Figures: map[string]float64{"takeover_seconds": -3}},
	}}}}
	for name, c := range map[string]struct {
		in   Input
		says []string
	}{
		"nothing":      {Input{}, []string{"0 targets met, 0 missed, 0 with nothing to show, 9 not measured.", "No file of results", "failover: no sample", "Go benchmarks: none"}},
		"empty file":   {Input{Files: []File{{Name: "x.jsonl", Cut: "the file is empty"}}}, []string{"**x.jsonl: the file is empty.**"}},
		"ours alone":   {onlyOurs, []string{"client-go n=0, holdfast n=1", "scenario api-silent: no sample", "9 not measured", "story.svg, node-death"}},
		"all failed":   {allFailed, []string{"2 samples failed", "all 1 of holdfast failed", "failed: no memory", "9 not measured"}},
		"odd and zero": {zeros, []string{"### unheard of", "takeover-kill-soon.svg"}},
	} {
		t.Run(name, func(t *testing.T) {
			md := written(t, c.in)["report.md"]
			for _, says := range c.says {
				assert.Contains(t, md, says)
			}
		})
	}
}

func TestAnotherReportLeavesNoPlotOfTheFormerAndNothingElseAlone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.svg"), []byte("mine"), 0o644))
	require.NoError(t, Write(dir, example(t)))
	require.Contains(t, files(t, dir), StoryFile)
	require.NoError(t, Write(dir, Input{}))
	assert.ElementsMatch(t, []string{"report.md", "figures.md", "mine.svg"}, slices.Collect(maps.Keys(files(t, dir))))
}

func TestFilesOfTwoMachinesAreWarnedAbout(t *testing.T) {
	in := example(t)
	assert.NotContains(t, written(t, in)["report.md"], "different machines")
	in.Files[1].Run.Machine.Cores = 64
	assert.Contains(t, written(t, in)["report.md"], "2 different machines")
}

func TestTheShortestLeasesAreInOrderAndWhatThereIsNotIsSaid(t *testing.T) {
	text := written(t, example(t))["report.md"]
	var rows []string
	section, _, _ := strings.Cut(text[strings.Index(text, "## The shortest lease"):], "\n## Cost")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| ") {
			rows = append(rows, line)
		}
	}
	require.Len(t, rows, 5, "a head, its rule, and three peers")
	assert.Contains(t, rows[2], "| holdfast | **1 s / 667 ms / 133 ms** | 750 ms | 600 s | – | 9 |")
	assert.True(t, strings.HasSuffix(rows[2], "| cost.jsonl |\n"), "the run that found it: %s", rows[2])
	assert.Contains(t, rows[3], "| client-go | **63 s / 42 s / 8.4 s** |")
	assert.Contains(t, rows[4], "| etcd | – | – | – | – | – | – | – | not applicable: it uses no API server |")
}
