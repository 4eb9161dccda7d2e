package matrix

import (
	"context"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
)

var wholeMatrix = flag.Bool("whole", false, "play the whole matrix instead of the part that spans it")

func TestMain(m *testing.M) {
	Main()
	lab.Enter()
	shared.Run(m)
}

// shared is the stage of all tests, whose Close ends the laboratory too.
var shared = labtest.Shared[whole]{Make: func(ctx context.Context) (w whole, err error) {
	if w.lab, err = lab.Start(ctx, lab.Options{Progress: os.Stderr}); err == nil {
		w.Stage, err = NewStage(ctx, w.lab)
	}
	return w, err
}}

type whole struct {
	*Stage
	lab *lab.Lab
}

func (w whole) Close() error { return errors.Join(w.Stage.Close(), w.lab.Close()) }

func theStage(t *testing.T) *Stage {
	t.Helper()
	return shared.The(t).Stage
}
