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

// fine are the leases below a second that are tried.
var fine = []time.Duration{500 * time.Millisecond, 750 * time.Millisecond}

// Leases returns the leases that can be found, ascending: half a second, which is
// the least that any peer takes, three quarters, and whole seconds up to longest,
// without those that refuses, if not nil, has an error for.
func Leases(longest time.Duration, refuses func(scenario.Timing) error) []time.Duration {
	var all []time.Duration
	add := func(lease time.Duration) {
		if lease <= longest && (refuses == nil || refuses(TimingOf(lease)) == nil) {
			all = append(all, lease)
		}
	}
	for _, lease := range fine {
		add(lease)
	}
	for lease := time.Second; lease <= longest; lease += time.Second {
		add(lease)
	}
	return all
}
