package scenario_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

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
	code := m.Run()
	if err := closeShared(); err != nil {
		fmt.Fprintln(os.Stderr, "close the laboratory:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// The laboratory that all tests of this package share, started by the first
// that needs it.
var shared struct {
	sync.Mutex
	lab   *lab.Lab
	stage *scenario.Stage
	err   error
}

// laboratory returns the shared laboratory and its stage.
func laboratory(t *testing.T) (*lab.Lab, *scenario.Stage) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.lab == nil && shared.err == nil {
		begun := time.Now()
		shared.lab, shared.err = lab.Start(context.Background(), lab.Options{Progress: os.Stderr})
		if shared.err == nil {
			shared.stage, shared.err = scenario.NewStage(t.Context(), shared.lab)
		}
		t.Logf("figure: laboratory started in %v", time.Since(begun).Round(time.Millisecond))
	}
	require.NoError(t, shared.err)
	return shared.lab, shared.stage
}

func closeShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.lab == nil {
		return nil
	}
	return shared.lab.Close()
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
