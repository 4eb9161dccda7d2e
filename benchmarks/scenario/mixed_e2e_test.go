package scenario_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// A Deployment of three replicas, one on each host, is rolled from client-go
// to this library and back, one replica at a time in any order: the next pod is
// started and contends before the one it replaces is told to stop.
func TestAFleetThatIsRolledFromClientGoAndBackHasOneLeader(t *testing.T) {
	const replicas = 3
	timing, times := scenario.Short, 1 // there and back
	if *long {
		times = 10
	}
	c := crewOf(t, scenario.FleetOptions{Name: "mixed", Timing: timing, ReleaseOnCancel: true})
	pod := func(roll, replica int) scenario.Member {
		peer := []string{"client-go", "holdfast"}[roll%2]
		return scenario.Member{Host: fmt.Sprintf("host-%d", replica), Identity: fmt.Sprintf("%s-%d-%d", peer, roll, replica), Peer: peer}
	}
	for replica := range replicas {
		c.Join(pod(0, replica))
	}
	c.Renewed(c.Succeeds(""), 1, pod(0, replicas-1).Identity)
	for roll := 1; roll <= 2*times; roll++ {
		for _, replica := range rand.Perm(replicas) {
			old := pod(roll-1, replica).Identity
			c.Join(pod(roll, replica))
			wait(t, rand.N(timing.LeaseDuration/3))
			require.NoError(t, c.Terminate(old))
			c.Exited(old)
		}
		c.Renewed(c.Succeeds(""), 1, pod(roll, replicas-1).Identity)
	}
	f, err := scenario.MeasureFleet(c.End())
	require.NoError(t, err)
	without := scenario.Summarize(f.Leaderless)
	t.Logf("figure: three replicas at %v, rolled %d times: %d terms, two leaders for %v, without a leader: %v", timing, 2*times, f.Terms, f.Overlap.Round(time.Millisecond), without)
	assert.Zero(t, f.Overlap, "two leaders at once")
	assert.Zero(t, f.Lost, "leases lost")
	assert.LessOrEqual(t, without.Max, timing.LeaseDuration+500*time.Millisecond)
}
