package shortest

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// TimingOf returns the durations of an election with that lease: a renew
// deadline of 2/3 of it and a retry period of 2/15, to the nearest millisecond.
func TimingOf(lease time.Duration) scenario.Timing {
	return scenario.Timing{
		LeaseDuration: lease,
		RenewDeadline: (lease * 2 / 3).Round(time.Millisecond),
		RetryPeriod:   (lease * 2 / 15).Round(time.Millisecond),
	}
}

// finest is the one lease below a second that is tried.
const finest = 500 * time.Millisecond

// Leases returns the leases that can be found, ascending: half a second and
// whole seconds up to longest, without those that refuses, if not nil, has an
// error for.
func Leases(longest time.Duration, refuses func(scenario.Timing) error) []time.Duration {
	var all []time.Duration
	add := func(lease time.Duration) {
		if lease <= longest && (refuses == nil || refuses(TimingOf(lease)) == nil) {
			all = append(all, lease)
		}
	}
	add(finest)
	for lease := time.Second; lease <= longest; lease += time.Second {
		add(lease)
	}
	return all
}
