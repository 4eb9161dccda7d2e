package matrix

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func known(d time.Duration) scenario.Figure { return scenario.Figure{Value: d, Known: true} }

func TestVerdicts(t *testing.T) {
	in := Check{Name: "in", Bound: time.Second, Measured: known(time.Second)}
	over := Check{Name: "over", Bound: time.Second, Measured: known(time.Second + 1)}
	never := Check{Name: "never", Bound: time.Second}
	for name, c := range map[string]struct {
		cell    Cell
		verdict Verdict
	}{
		"within its bound":                 {Cell{Steered: true, Checks: []Check{in}}, Held},
		"over it":                          {Cell{Steered: true, Checks: []Check{over}}, Broken},
		"one of two over":                  {Cell{Steered: true, Checks: []Check{in, over}}, Broken},
		"never happened":                   {Cell{Steered: true, Checks: []Check{never}}, Broken},
		"within, but the lease was lost":   {Cell{Steered: true, Checks: []Check{in}, Wrong: []string{"LOST THE LEASE"}}, Broken},
		"within, but not at the victim":    {Cell{Checks: []Check{in}}, Untested},
		"over, though not at the victim":   {Cell{Checks: []Check{over}}, Broken},
		"nothing was measured":             {Cell{Steered: true}, Untested},
		"nothing measured and a wrong one": {Cell{Wrong: []string{"exited"}}, Broken},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.verdict, c.cell.Verdict())
			assert.Equal(t, c.verdict == Held, Passed([]Cell{c.cell}))
			assert.Equal(t, c.verdict == Held, Passed([]Cell{{Steered: true, Checks: []Check{in}}, c.cell}))
		})
	}
	assert.False(t, Passed(nil), "nothing played is no pass")
}

func TestTheTableShowsFigureBoundAndVerdict(t *testing.T) {
	results := []Result{{
		Fault: Fault{Name: "frozen", Text: "it stands still"}, Took: 8 * time.Second,
		Cells: []Cell{
			{Fault: "frozen", Column: Column{Leader, fresh}, Steered: true, Checks: []Check{{"renewal late", 2 * time.Second, known(110 * ms)}}},
			{Fault: "frozen", Column: Column{Candidate, fresh}, Steered: true, Checks: []Check{{"takeover", time.Second, scenario.Figure{}}}},
			{Fault: "frozen", Column: Column{Writer, traffic}, Checks: []Check{{"update", time.Second, known(2 * ms)}}},
		},
	}}
	var out bytes.Buffer
	require.NoError(t, Table(&out, results))
	assert.Contains(t, out.String(), "| fault | leader/new-connections | candidate/new-connections | writer/http2 |\n| --- | --- | --- | --- |\n"+
		"| `frozen` | 110ms ≤ 2s | **OVER** never > 1s | **untested** 2ms ≤ 1s |\n")
	assert.Contains(t, out.String(), "- `frozen`: it stands still.")
	assert.Contains(t, out.String(), "1 of 3 cells held, in 8s.")
	assert.Contains(t, out.String(), "- frozen in candidate/new-connections: OVER; takeover: never, bound 1s")
}

func TestTheSubsetSpansTheMatrix(t *testing.T) {
	faults := Faults()
	chosen := Subset(faults)
	require.Len(t, chosen, len(faults), "every fault")
	seen := map[Column]int{}
	for i, columns := range chosen {
		assert.NotEmpty(t, columns, faults[i].Name)
		for _, c := range columns {
			assert.Contains(t, Columns(), c, faults[i].Name)
			seen[c]++
		}
		if faults[i].by.tokens {
			assert.NotContains(t, columns, Column{Informer, traffic}, "it would take minutes")
		}
	}
	for _, c := range Columns() {
		assert.Positive(t, seen[c], "%s is nowhere", c)
	}
}

func TestSelectingKeepsTheOrderAndNamesWhatIsUnknown(t *testing.T) {
	columns, err := Select([]string{"watch", "leader"}, []string{"new-connections"})
	require.NoError(t, err)
	assert.Equal(t, []Column{{Leader, fresh}, {Watch, fresh}}, columns)
	columns, err = Select(nil, nil)
	require.NoError(t, err)
	assert.Len(t, columns, 10)
	_, err = Select([]string{"follower"}, nil)
	assert.ErrorContains(t, err, `role "follower"`)
	_, err = Select(nil, []string{"http3"})
	assert.ErrorContains(t, err, `mode "http3"`)
	_, err = Select([]string{"writer"}, []string{"new-connections"})
	assert.ErrorContains(t, err, "no column")

	found, err := Find([]string{"killed", "silence"})
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Equal(t, "silence", found[0].Name)
	_, err = Find([]string{"meteor"})
	assert.ErrorContains(t, err, `fault "meteor"`)
}

func TestFaultsAreToldApart(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Faults() {
		assert.False(t, names[f.Name], f.Name)
		names[f.Name] = true
		assert.NotEmpty(t, f.Text, f.Name)
		assert.NotEqual(t, f.inflict == nil, f.toEach == nil, "%s is done to all at once or to each", f.Name)
		for _, c := range Columns() {
			b, err := BoundsOf(c, f.Network, scenario.Short)
			require.NoError(t, err)
			assert.NotEqual(t, Bounds{}, b, "%s in %s has a bound", f.Name, c)
		}
	}
	assert.GreaterOrEqual(t, len(names), 34)
}
