package nodes

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
)

// shared is the one stage of the tests, with the nodes left and right.
var shared = labtest.Shared[*Stage]{Make: func(ctx context.Context) (*Stage, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	return NewStage(ctx, os.Stderr, node.Options{}, "left", "right")
}}

func TestMain(m *testing.M) {
	node.Enter()
	shared.Run(m)
}

func theStage(t *testing.T) *Stage {
	t.Helper()
	return shared.The(t)
}

// bounded is the context of a play: no figure depends on it.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
