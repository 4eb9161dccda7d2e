package shortest

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func seconds(n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = time.Duration(i+1) * time.Second
	}
	return all
}

func TestTheShortestLeaseThatHoldsIsFound(t *testing.T) {
	for n := 1; n <= 40; n++ {
		leases := seconds(n)
		for shortest := range n {
			trials := 0
			found, err := Search(leases, 2, func(lease time.Duration) (bool, error) {
				trials++
				return lease >= leases[shortest], nil
			})
			require.NoError(t, err)
			assert.Equal(t, shortest, found, "of %d", n)
			assert.LessOrEqual(t, trials, 9, "of %d: log2 and a few", n)
		}
	}
}

func TestWhereNoLeaseHoldsThatIsSaidAfterOneTrial(t *testing.T) {
	trials := 0
	_, err := Search(seconds(100), 3, func(time.Duration) (bool, error) { trials++; return false, nil })
	require.ErrorIs(t, err, ErrNoneHolds)
	assert.ErrorContains(t, err, "1m40s")
	assert.Equal(t, 1, trials)

	_, err = Search(nil, 1, nil)
	assert.ErrorIs(t, err, ErrNoneHolds)
}

func TestATrialThatFailsEndsTheSearch(t *testing.T) {
	broken := errors.New("the laboratory is gone")
	_, err := Search(seconds(5), 1, func(time.Duration) (bool, error) { return false, broken })
	require.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "5s")
}

// Leases that are too short hold now and then. What is found has then held as
// often as was asked, nothing shorter than what once failed is believed, and the
// search ends.
func TestLuckIsNotBelieved(t *testing.T) {
	const confirm, longEnough, runs = 3, 20, 2000
	tooShort, lucky := 0, 0
	for seed := range uint64(runs) {
		random := rand.New(rand.NewPCG(seed, 1))
		held, failed, trials := map[time.Duration]int{}, map[time.Duration]bool{}, 0
		leases := seconds(60)
		found, err := Search(leases, confirm, func(lease time.Duration) (bool, error) {
			trials++
			ok := lease >= leases[longEnough] || random.Float64() < 0.2
			if ok {
				held[lease]++
			} else {
				failed[lease] = true
			}
			return ok, nil
		})
		require.NoError(t, err)
		require.LessOrEqual(t, trials, len(leases)*confirm)
		assert.GreaterOrEqual(t, held[leases[found]], confirm)
		for lease := range failed {
			assert.Less(t, lease, leases[found])
		}
		if found < longEnough {
			tooShort++
		}
		once, err := Search(leases, 1, func(lease time.Duration) (bool, error) {
			return lease >= leases[longEnough] || random.Float64() < 0.2, nil
		})
		require.NoError(t, err)
		if once < longEnough {
			lucky++
		}
	}
	assert.Less(t, 3*tooShort, lucky, "of %d searches, %d were fooled with %d trials, %d with one", runs, tooShort, confirm, lucky)
}

func TestTheDurationsOfALease(t *testing.T) {
	assert.Equal(t, scenario.Long, TimingOf(15*time.Second))
	assert.Equal(t, scenario.Timing{LeaseDuration: 500 * time.Millisecond, RenewDeadline: 333 * time.Millisecond, RetryPeriod: 67 * time.Millisecond}, TimingOf(500*time.Millisecond))
	assert.Equal(t, scenario.Timing{LeaseDuration: time.Second, RenewDeadline: 667 * time.Millisecond, RetryPeriod: 133 * time.Millisecond}, TimingOf(time.Second))
}

func TestOnlyLeasesThatThePeerTakesAreTried(t *testing.T) {
	assert.Equal(t, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second}, Leases(2500*time.Millisecond, nil))
	wholeSeconds := func(timing scenario.Timing) error {
		if timing.LeaseDuration%time.Second != 0 {
			return errors.New("no")
		}
		return nil
	}
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second}, Leases(2*time.Second, wholeSeconds))
	assert.Empty(t, Leases(400*time.Millisecond, nil))
}
