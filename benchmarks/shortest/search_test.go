package shortest

import (
	"errors"
	"math/rand/v2"
	"slices"
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

// find searches, with so many trials at the same time, and returns the lease
// found and how many rounds and trials it took.
func find(leases []time.Duration, confirm, together int, holds func(time.Duration) bool) (found time.Duration, rounds, trials int, err error) {
	s := NewSearch(leases, confirm)
	for {
		next := s.Next(together)
		if len(next) == 0 {
			found, err = s.Found()
			return found, rounds, trials, err
		}
		rounds++
		for _, i := range next {
			trials++
			s.Take(i, holds(leases[i]))
		}
	}
}

func TestTheShortestLeaseThatHoldsIsFound(t *testing.T) {
	for n := 1; n <= 40; n++ {
		leases := seconds(n)
		for shortest := range n {
			holds := func(lease time.Duration) bool { return lease >= leases[shortest] }
			found, _, trials, err := find(leases, 2, 1, holds)
			require.NoError(t, err)
			assert.Equal(t, leases[shortest], found, "of %d", n)
			assert.LessOrEqual(t, trials, 9, "of %d: log2 and a few", n)

			found, rounds, _, err := find(leases, 2, 4, holds)
			require.NoError(t, err)
			assert.Equal(t, leases[shortest], found, "of %d", n)
			assert.LessOrEqual(t, rounds, 4, "of %d: log5, and a confirmation", n)
		}
	}
}

func TestNoMoreIsTriedThanThereIsRoomForAndNothingTwiceAtATime(t *testing.T) {
	for n := range 12 {
		for together := range 6 {
			s := NewSearch(seconds(n), 3)
			for range 100 {
				next := s.Next(together)
				assert.LessOrEqual(t, len(next), together)
				assert.True(t, slices.IsSorted(next))
				assert.Len(t, slices.Compact(slices.Clone(next)), len(next))
				for _, i := range next {
					s.Take(i, rand.Float64() < 0.5)
				}
			}
			assert.Empty(t, s.Next(together), "%d leases, %d at a time", n, together)
		}
	}
}

func TestWhereNoLeaseHoldsThatIsSaidAfterOneTrial(t *testing.T) {
	_, _, trials, err := find(seconds(100), 3, 1, func(time.Duration) bool { return false })
	require.ErrorIs(t, err, ErrNoneHolds)
	assert.ErrorContains(t, err, "1m40s")
	assert.Equal(t, 1, trials)

	_, _, trials, err = find(nil, 1, 1, nil)
	assert.ErrorIs(t, err, ErrNoneHolds)
	assert.Zero(t, trials)
}

// Leases that are too short hold now and then. What is found has then held as
// often as was asked, nothing shorter than what once failed is believed, and the
// search ends.
func TestLuckIsNotBelieved(t *testing.T) {
	const confirm, longEnough, runs = 3, 20, 2000
	for _, together := range []int{1, 4} {
		tooShort, lucky := 0, 0
		for seed := range uint64(runs) {
			random := rand.New(rand.NewPCG(seed, 1))
			leases := seconds(60)
			held, failed := map[time.Duration]int{}, map[time.Duration]bool{}
			found, _, trials, err := find(leases, confirm, together, func(lease time.Duration) bool {
				ok := lease >= leases[longEnough] || random.Float64() < 0.2
				if ok {
					held[lease]++
				} else {
					failed[lease] = true
				}
				return ok
			})
			require.NoError(t, err)
			require.LessOrEqual(t, trials, len(leases)*confirm)
			assert.GreaterOrEqual(t, held[found], confirm)
			for lease := range failed {
				assert.Less(t, lease, found)
			}
			if found < leases[longEnough] {
				tooShort++
			}
			once, _, _, err := find(leases, 1, together, func(lease time.Duration) bool {
				return lease >= leases[longEnough] || random.Float64() < 0.2
			})
			require.NoError(t, err)
			if once < leases[longEnough] {
				lucky++
			}
		}
		assert.Less(t, 3*tooShort, lucky, "of %d searches, %d were fooled with %d trials, %d with one", runs, tooShort, confirm, lucky)
	}
}

func TestTheDurationsOfALease(t *testing.T) {
	assert.Equal(t, scenario.Long, TimingOf(15*time.Second))
	assert.Equal(t, scenario.Timing{LeaseDuration: 500 * time.Millisecond, RenewDeadline: 333 * time.Millisecond, RetryPeriod: 67 * time.Millisecond}, TimingOf(500*time.Millisecond))
	assert.Equal(t, scenario.Timing{LeaseDuration: time.Second, RenewDeadline: 667 * time.Millisecond, RetryPeriod: 133 * time.Millisecond}, TimingOf(time.Second))
}

func TestOnlyLeasesThatThePeerTakesAreTried(t *testing.T) {
	assert.Equal(t, []time.Duration{500 * time.Millisecond, 750 * time.Millisecond, time.Second, 2 * time.Second}, Leases(2500*time.Millisecond, nil))
	wholeSeconds := func(timing scenario.Timing) error {
		if timing.LeaseDuration%time.Second != 0 {
			return errors.New("no")
		}
		return nil
	}
	assert.Equal(t, []time.Duration{time.Second, 2 * time.Second}, Leases(2*time.Second, wholeSeconds))
	assert.Empty(t, Leases(400*time.Millisecond, nil))
}
