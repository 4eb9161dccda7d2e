package shortest

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoneHolds is wrapped by the error of a Search in which even the longest
// lease did not hold.
var ErrNoneHolds = errors.New("no lease that was tried holds")

// Search looks for the shortest lease that holds, of leases in ascending order.
//
// It takes for granted that of two leases the longer holds if the shorter does,
// and bisects: into several parts at once where several leases can be tried at
// the same time. Since a lease may hold by luck, the one that was found is tried
// again, until it has held Confirm times in all (at least once); if it fails one
// of them, the search goes on above it. Once a lease has failed it and all
// shorter ones are too short, and not tried again. So there are at most
// len(leases) × Confirm trials.
type Search struct {
	leases  []time.Duration
	confirm int
	held    []int // how often each has
	failed  int   // the longest that has failed
}

// NewSearch returns a search that knows nothing yet.
func NewSearch(leases []time.Duration, confirm int) *Search {
	return &Search{leases: leases, confirm: max(confirm, 1), held: make([]int, len(leases)), failed: -1}
}

// Next returns which leases to try next, by index and ascending: at most so
// many at the same time, and none where the search is over.
//
// While none has held it is the longest and what divides the others evenly; then
// what divides those between the longest that failed and the shortest that
// held. Once they are few enough they are tried all, with that one and those
// above it, which are confirmed by the way.
func (s *Search) Next(most int) []int {
	low, high := s.failed+1, s.shortestHeld()
	if most < 1 || low == len(s.leases) || high == low && s.held[low] >= s.confirm {
		return nil
	}
	if high == len(s.leases) { // none has held: is there any?
		high--
		return append(divide(low, high, most-1), high)
	}
	if high-low >= most { // too many to try each
		return divide(low, high, most)
	}
	var next []int
	for i := low; i < len(s.leases) && len(next) < most; i++ {
		if s.held[i] < s.confirm {
			next = append(next, i)
		}
	}
	return next
}

// divide returns n places, at the most, that divide low…high-1 into parts of
// one length.
func divide(low, high, n int) []int {
	var places []int
	n = min(n, high-low)
	for i := range n {
		places = append(places, low+(i+1)*(high-low)/(n+1))
	}
	return places
}

// Take takes what became of a trial of the lease of that index.
func (s *Search) Take(index int, held bool) {
	if held {
		s.held[index]++
	} else {
		s.failed = max(s.failed, index)
	}
}

// shortestHeld returns the index of the shortest lease that has held and not
// failed since, len(leases) if there is none.
func (s *Search) shortestHeld() int {
	for i := s.failed + 1; i < len(s.leases); i++ {
		if s.held[i] > 0 {
			return i
		}
	}
	return len(s.leases)
}

// Found returns the shortest lease that holds, once Next has none left; its
// error wraps ErrNoneHolds.
func (s *Search) Found() (time.Duration, error) {
	switch {
	case len(s.leases) == 0:
		return 0, fmt.Errorf("%w: there was none to try", ErrNoneHolds)
	case s.failed == len(s.leases)-1:
		return 0, fmt.Errorf("%w, up to %v", ErrNoneHolds, s.leases[s.failed])
	}
	return s.leases[s.failed+1], nil
}
