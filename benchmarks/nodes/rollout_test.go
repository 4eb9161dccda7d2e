package nodes

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// With a successor a rollout costs one change of leader, whichever of the old Pods goes
// first: `go run ./cmd/nodes -rollouts 10` measures it beside client-go.
func TestARolloutCostsOneChangeOfLeader(t *testing.T) {
	s := theStage(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, c := range RolloutCases[:3] { // with the last an old Pod stops before a new one is ready
		r, err := Roll(bounded(t), s, "successor", c.Replicas, c.Strategy, scenario.Long, rand.New(rand.NewPCG(seed, 0)))
		require.NoError(t, err)
		t.Logf("figure: %s: %d changes of leader, %s without one", c, r.Changes, r.Leaderless.Round(time.Millisecond))
		assert.Equal(t, 1, r.Changes, c)
		assert.Less(t, r.Leaderless, 5*time.Second, "%s: nobody waits for the lease", c)
	}
}

func TestADeploymentIsRolledWithinItsLimits(t *testing.T) {
	for _, c := range RolloutCases {
		// What is made is ready at once, and what is deleted is gone at once: the counts
		// never leave the limits, and the rollout ends.
		old, fresh, steps := c.Replicas, 0, 0
		for ; old > 0 || fresh < c.Replicas; steps++ {
			create, remove := c.Strategy.step(c.Replicas, old, old, fresh, fresh)
			require.Positive(t, create+remove, "%s: %d old, %d new: nothing to do", c, old, fresh)
			assert.GreaterOrEqual(t, old+fresh-remove, c.Replicas-c.Strategy.Unavailable, c)
			assert.LessOrEqual(t, old+fresh+create, c.Replicas+c.Strategy.Surge, c)
			old, fresh = old-remove, fresh+create
		}
		assert.LessOrEqual(t, steps, 2*c.Replicas+1, c)
	}
	create, remove := Careful(3).step(3, 3, 3, 1, 0)
	assert.Zero(t, create+remove, "the new one is not ready")
	create, remove = Default(5).step(5, 5, 5, 0, 0)
	assert.Equal(t, []int{2, 1}, []int{create, remove})
}

func TestWhatARolloutCostIsReadFromTheTerms(t *testing.T) {
	r := cost([]Diary{{Who: "b", Terms: []Term{term(1100, 2000)}}, {Who: "a", Terms: []Term{term(0, 1000), term(2500, 3000)}}})
	assert.Equal(t, Rollout{Changes: 2, Leaderless: 600 * time.Millisecond}, r)
}
