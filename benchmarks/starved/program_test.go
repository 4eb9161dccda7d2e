package starved

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// The server has no timing, and a timing of zeros cannot be read.
func TestAProcessReadsTheRoleItIsGiven(t *testing.T) {
	for _, r := range []role{
		{Kubeconfig: "there"},
		{Kubeconfig: "there", Electors: 2, Leases: 1, Options: contender.Options{Peer: "holdfast", Timing: scenario.Short}},
	} {
		spec, err := json.Marshal(r)
		require.NoError(t, err)
		var read role
		require.NoError(t, json.Unmarshal(spec, &read))
		assert.Equal(t, r, read)
	}
}
