package nodes

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Replicas beside one of client-go are crashed at random; `go run ./cmd/nodes -storm 100`
// does it a hundred times.
func TestNoTwoWorkAtOnceHoweverTheyCrash(t *testing.T) {
	s := theStage(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	require.NoError(t, Storm(bounded(t), s, 4, seed, os.Stderr, "client-go"))
}

func TestEveryFaultIsChosenFrom(t *testing.T) {
	require.Len(t, faultNames, len(faults))
	for _, name := range faultNames {
		require.Contains(t, faults, name)
	}
}
