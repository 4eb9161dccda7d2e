package matrix

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// subsetBound and wholeBound are far more than the matrix takes on two cores.
const (
	subsetBound = 10 * time.Minute
	wholeBound  = 15 * time.Minute
)

// TestMatrix plays the part that spans the matrix, or with -whole all of it.
func TestMatrix(t *testing.T) {
	faults := Faults()
	columns, bound := Subset(faults), subsetBound
	if *wholeMatrix {
		bound = wholeBound
		for i := range columns {
			columns[i] = Columns()
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	stage := theStage(t)
	var results []Result
	for i, f := range faults {
		t.Run(f.Name, func(t *testing.T) {
			result := playAndShow(ctx, t, stage, f, columns[i], Options{Timing: scenario.Short})
			results = append(results, result)
			for _, cell := range result.Cells {
				assert.Equal(t, Held, cell.Verdict(), "%s in %s: %s", f.Name, cell.Column, cell.words())
			}
		})
	}
	var table bytes.Buffer
	require.NoError(t, Table(&table, results))
	t.Logf("figure: the matrix\n%s", table.String())
}

// TestTheMatrixCatchesClientGo is the control: client-go, held against the same
// bounds, must not pass.
func TestTheMatrixCatchesClientGo(t *testing.T) {
	stage := theStage(t)
	found, err := Find([]string{"one-dead"})
	require.NoError(t, err)
	columns := []Column{{Leader, userTimeout}, {Candidate, userTimeout}, {Informer, traffic}, {Writer, traffic}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	result, err := stage.Play(ctx, found[0], columns, Options{Timing: scenario.Short, Peer: "client-go"})
	require.NoError(t, err)
	for _, cell := range result.Cells {
		t.Logf("figure: client-go in %s: %s", cell.Column, cell.words())
		assert.Equal(t, Broken, cell.Verdict(), "%s", cell.Column)
	}
	_, err = stage.Play(ctx, found[0], []Column{{Leader, fresh}}, Options{Timing: scenario.Short, Peer: "client-go"})
	assert.ErrorContains(t, err, "leader/new-connections")
}

// playAndShow plays a fault, and shows what happened if the test fails.
func playAndShow(ctx context.Context, t *testing.T, stage *Stage, f Fault, columns []Column, o Options) Result {
	t.Helper()
	var stderr labtest.Log
	o.Stderr = &stderr
	result, err := stage.Play(ctx, f, columns, o)
	t.Cleanup(func() {
		struck := lastOf(result.Events, func(e event.Event) bool { return e.What == event.Fault }).Time
		labtest.Tell(t, result.Events, struck, &stderr)
	})
	require.NoError(t, err)
	return result
}
