package endtoend

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/examples/controller-runtime/ways"
)

// takesToStop is how long a reconcile goes on after its context has ended.
const takesToStop = 500 * time.Millisecond

// polled bounds how long after a lease or its release client-go's elector acts:
// its longest pause, the time to ask on connections of which one is dead, and
// that to fill a cache in the same way.
var polled = scenario.Short.RetryPeriod*22/10 + 2*scenario.Short.RenewDeadline + time.Second

func TestHandover(t *testing.T) {
	for _, way := range ways.Ways {
		t.Run(string(way), func(t *testing.T) {
			r, alice, bob := newRun(t, way, takesToStop)
			warm := bob.ready(t.Context())
			r.terminate(alice)
			f := r.figures(patience)
			t.Logf("figure: handover %s: reconciles %v after the old reconciler stopped, overlap %v, standby warm: %v", way, f.AfterWork, f.Overlap, warm)
			assert.Zero(t, f.Overlap)
			require.True(t, f.AfterWork.Known)
			assert.GreaterOrEqual(t, f.AfterWork.Value, time.Duration(0))
			assert.GreaterOrEqual(t, f.Outage.Value, takesToStop, "the work takes its time to stop")
			if way == ways.Elector {
				assert.True(t, warm, "the standby's cache is not filled")
				assert.LessOrEqual(t, f.AfterWork.Value, 300*time.Millisecond)
			} else {
				assert.False(t, warm, "without EnableWarmup a standby of controller-runtime has no informers")
				assert.LessOrEqual(t, f.AfterWork.Value, polled)
			}
		})
	}
}

func TestNodeDeath(t *testing.T) {
	for _, way := range ways.Ways {
		if way == ways.Unchanged && !*long {
			t.Logf("way %s: a node death takes a minute to be noticed: see -args -long", way)
			continue
		}
		t.Run(string(way), func(t *testing.T) {
			r, alice, bob := newRun(t, way, 0)
			warm := bob.ready(t.Context())
			r.nodeDeath(alice)
			f := r.figures(2 * time.Minute)
			t.Logf("figure: node death %s: reconciles %v after the lease ended, %v after the fault, overlap %v, standby warm: %v", way, f.Takeover, f.Outage, f.Overlap, warm)
			require.True(t, f.Takeover.Known)
			assert.Positive(t, f.Takeover.Value, "a lease that had not ended was taken")
			switch way {
			case ways.Elector:
				assert.Zero(t, f.Overlap)
				assert.True(t, warm, "the standby's cache is not filled")
				assert.LessOrEqual(t, f.Takeover.Value, 500*time.Millisecond)
			case ways.Unchanged:
				assert.Greater(t, f.Takeover.Value, polled, "the fault does not show")
			case ways.Lock:
				assert.Zero(t, f.Overlap, "a call to the lock is bounded so that a leader stops in time")
				assert.LessOrEqual(t, f.Takeover.Value, polled)
			default:
				// Overlap is not looked at: it is client-go's. Its elector tells the
				// manager of the loss only when its attempt to release has timed out.
				assert.LessOrEqual(t, f.Takeover.Value, polled)
			}
		})
	}
}
