package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Timing is how an election is configured.
type Timing struct {
	// Lease, Deadline and Retry are L, D and R of the documentation.
	Lease, Deadline, Retry time.Duration
}

// Term returns T = max(D, min(D+R, L-R)), the length of a term.
func (t Timing) Term() time.Duration {
	return max(t.Deadline, min(t.Deadline+t.Retry, t.Lease-t.Retry))
}

// Tolerance returns by how much, in parts per million, the rates of two clocks
// may differ: (L-T)/L.
func (t Timing) Tolerance() int64 {
	return int64((t.Lease - t.Term()) * 1000 / (t.Lease / 1000))
}

func (t Timing) String() string { return fmt.Sprintf("%v/%v/%v", t.Lease, t.Deadline, t.Retry) }

// backoff is the longest pause an elector makes after a failure, whether of its
// own or because a server asks for it.
func (t Timing) backoff() time.Duration { return max(t.Retry, t.Deadline/4) }

// usual are the configurations that people run.
var usual = []Timing{
	{15 * time.Second, 10 * time.Second, 2 * time.Second},
	{60 * time.Second, 40 * time.Second, 5 * time.Second},
	{8 * time.Second, 5 * time.Second, time.Second},
	{3 * time.Second, 2 * time.Second, 500 * time.Millisecond},
	{time.Second, 700 * time.Millisecond, 200 * time.Millisecond},
	{500 * time.Millisecond, 350 * time.Millisecond, 100 * time.Millisecond},
	{1500 * time.Millisecond, time.Second, 250 * time.Millisecond},
}

// wholeSeconds is how many of the usual ones client-go's elector can keep: its
// records carry, and tell apart, whole seconds only.
const wholeSeconds = 4

// drawTiming returns a usual configuration, or any other that is valid.
func drawTiming(random *rand.Rand) Timing {
	if random.IntN(3) > 0 {
		return usual[random.IntN(len(usual))]
	}
	lease := 500*time.Millisecond + time.Duration(random.Int64N(int64(30*time.Second)))
	deadline := portion(lease, 0.4+0.5*random.Float64())
	return Timing{lease, deadline, portion(deadline, 0.1+0.6*random.Float64())}
}

// portion returns d times f.
func portion(d time.Duration, f float64) time.Duration { return time.Duration(f * float64(d)) }

// between returns a duration from low up to high, evenly at random.
func between(random *rand.Rand, low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(random.Int64N(int64(high-low)))
}
