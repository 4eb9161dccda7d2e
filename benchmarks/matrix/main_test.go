package matrix

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
)

var whole = flag.Bool("whole", false, "play the whole matrix instead of the part that spans it")

func TestMain(m *testing.M) {
	Main()
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
	stage *Stage
	err   error
}

func theStage(t *testing.T) *Stage {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.lab == nil && shared.err == nil {
		// The fronts outlive the test that comes first.
		ctx := context.Background()
		if shared.lab, shared.err = lab.Start(ctx, lab.Options{Progress: os.Stderr}); shared.err == nil {
			shared.stage, shared.err = NewStage(ctx, shared.lab)
		}
	}
	require.NoError(t, shared.err)
	return shared.stage
}

func closeShared() error {
	shared.Lock()
	defer shared.Unlock()
	var err error
	if shared.stage != nil {
		err = shared.stage.Close()
	}
	if shared.lab != nil {
		return errors.Join(err, shared.lab.Close())
	}
	return err
}
