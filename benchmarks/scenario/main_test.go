package scenario_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
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
	_, stage := laboratory(t)
	s, err := scenario.Find(name)
	require.NoError(t, err)
	var stderr lockedBuffer
	o.Stderr = &stderr
	result, err := stage.Run(t.Context(), s, o)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		var timeline strings.Builder
		_ = event.Timeline(&timeline, result.Events, faultTime(result.Events))
		t.Logf("timeline:\n%s\nlog of the contenders:\n%s", timeline.String(), stderr.String())
	})
	require.NoError(t, err)
	return result.Figures
}

// faultTime returns when the first fault came, or when the stream begins.
func faultTime(events []event.Event) time.Time {
	for _, e := range events {
		if e.What == event.Fault {
			return e.Time
		}
	}
	if len(events) == 0 {
		return time.Time{}
	}
	return events[0].Time
}

// lockedBuffer takes the logs of several processes.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
