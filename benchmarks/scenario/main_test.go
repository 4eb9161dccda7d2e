package scenario_test

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

var long = flag.Bool("long", false, "run the scenarios with the long lease too, and more often what is measured many times")

var incident = flag.Bool("incident", false, "replay the incident at its full length too, some 16 minutes")

func TestMain(m *testing.M) {
	contender.Main()
	scenario.ProbeMain()
	lab.Enter()
	shared.Run(m)
}

// shared is the laboratory of all tests, and its stage.
var shared = labtest.Shared[whole]{Make: func(ctx context.Context) (w whole, err error) {
	if w.Lab, err = lab.Start(ctx, lab.Options{Progress: os.Stderr}); err == nil {
		w.stage, err = scenario.NewStage(ctx, w.Lab)
	}
	return w, err
}}

type whole struct {
	*lab.Lab
	stage *scenario.Stage
}

// laboratory returns the shared laboratory and its stage.
func laboratory(t *testing.T) (*lab.Lab, *scenario.Stage) {
	t.Helper()
	w := shared.The(t)
	return w.Lab, w.stage
}

// play runs a scenario, and shows what happened if the test fails.
func play(t *testing.T, name string, o scenario.Options) scenario.Figures {
	t.Helper()
	return playWhole(t, name, o).Figures
}

// playWhole is play with all that happened.
func playWhole(t *testing.T, name string, o scenario.Options) scenario.Result {
	t.Helper()
	_, stage := laboratory(t)
	s, err := scenario.Find(name)
	require.NoError(t, err)
	var stderr labtest.Log
	o.Stderr = &stderr
	result, err := stage.Run(t.Context(), s, o)
	t.Cleanup(func() { labtest.Tell(t, result.Events, event.FaultTime(result.Events), &stderr) })
	require.NoError(t, err)
	return result
}

// crewOf returns a crew in the shared laboratory.
func crewOf(t *testing.T, o scenario.FleetOptions) *labtest.Crew {
	t.Helper()
	_, stage := laboratory(t)
	return labtest.NewCrew(t, stage, o)
}
