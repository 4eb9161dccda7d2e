package nodes

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
)

var shared struct {
	once  sync.Once
	stage *Stage
	err   error
}

func TestMain(m *testing.M) {
	node.Enter()
	code := m.Run()
	if shared.stage != nil {
		if err := shared.stage.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the stage:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// theStage is the one stage of the tests, with the nodes left and right.
func theStage(t *testing.T) *Stage {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		shared.stage, shared.err = NewStage(ctx, os.Stderr, node.Options{}, "left", "right")
	})
	require.NoError(t, shared.err)
	return shared.stage
}

// bounded is the context of a play: no figure depends on it.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
