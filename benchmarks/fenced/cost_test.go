package fenced

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the fence costs a write: the same write of the holder's, to what is guarded
// and to what is not, in turns.
func TestCost(t *testing.T) {
	const rounds = 400
	s := newStage(t, "")
	s.objects(t)
	holder := s.pods[0]
	s.holds(t, holder.identity, 0)
	took := map[string][]time.Duration{}
	once := func(kind string) {
		begun := time.Now()
		require.NoError(t, writes["update"](t.Context(), holder.clients[0]))
		took[kind] = append(took[kind], time.Since(begun))
	}
	for range rounds {
		once("without")
	}
	s.install(t, s.fence(t, "configmaps"))
	s.holds(t, holder.identity, 0)
	for n := range rounds {
		if n%100 == 0 {
			s.holds(t, holder.identity, 0)
		}
		once("with")
	}
	for _, each := range took {
		slices.Sort(each)
	}
	without, with := took["without"][rounds/2], took["with"][rounds/2]
	ratio := float64(with) / float64(without)
	t.Logf("figure: fence: an update takes %.2f times as long with the fence (medians of %d, one after the other: %v and %v; p99 %v and %v)",
		ratio, rounds, without, with, took["without"][rounds*99/100], took["with"][rounds*99/100])
	assert.Less(t, ratio, 3.0)
}
