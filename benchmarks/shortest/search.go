package shortest

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoneHolds is wrapped by the error of a Search in which even the longest
// lease did not hold.
var ErrNoneHolds = errors.New("no lease that was tried holds")

// Search returns the index of the shortest lease that holds, of leases in
// ascending order. holds tries one of them once; its errors end the search.
//
// It takes for granted that of two leases the longer holds if the shorter does,
// and bisects. Since holds may be lucky, an index that was found is tried
// again, until it has held confirm times in all (at least once); if it fails
// one of them, the search goes on above it. Once a lease has failed it is too
// short, and never tried again. So there are at most len(leases) × confirm
// trials, and about log2(len(leases)) + confirm of them where trials agree.
func Search(leases []time.Duration, confirm int, holds func(lease time.Duration) (bool, error)) (int, error) {
	held := make([]int, len(leases)) // how often each has
	try := func(i int) (bool, error) {
		ok, err := holds(leases[i])
		if ok {
			held[i]++
		}
		return ok, err
	}
	failed := -1 // the longest that has failed
	for failed < len(leases)-1 {
		i := next(held, failed)
		ok, err := try(i)
		if err != nil {
			return 0, fmt.Errorf("try a lease of %v: %w", leases[i], err)
		}
		if !ok {
			failed = i
			continue
		}
		if i == failed+1 && held[i] >= max(confirm, 1) {
			return i, nil
		}
	}
	if len(leases) == 0 {
		return 0, fmt.Errorf("%w: there was none to try", ErrNoneHolds)
	}
	return 0, fmt.Errorf("%w, up to %v", ErrNoneHolds, leases[len(leases)-1])
}

// next returns which lease to try: the longest, if none above the longest that
// failed has held; else the middle between that and the shortest that has held;
// and the latter itself if nothing lies between.
func next(held []int, failed int) int {
	for i := failed + 1; i < len(held); i++ {
		if held[i] == 0 {
			continue
		}
		if i == failed+1 {
			return i
		}
		return failed + (i-failed)/2
	}
	return len(held) - 1
}
