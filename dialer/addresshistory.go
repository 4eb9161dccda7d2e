package dialer

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

const (
	// badFor is how long an address that lost a race stands behind the others.
	badFor = time.Minute
	// maxHistory bounds the memory of a Dialer whose names keep changing.
	maxHistory = 1024
)

// addressHistory remembers how addresses fared in the last dials of a Dialer. A
// connection may be established and still be of no use (the kernel of a frozen
// host accepts for it), which shows only in that another dial is wanted. So the
// next dial begins with the address that has waited longest, and ends with
// those that lately refused or were overtaken. The zero value is useful; it is
// safe for concurrent use.
type addressHistory struct {
	mu      sync.Mutex
	dials   int64
	records map[string]addressRecord // by "ip:port"
}

type addressRecord struct {
	won  int64     // the number of the dial it won last
	lost time.Time // when it last lost, zero if it has won since
}

func (f addressRecord) bad(now time.Time) bool {
	return !f.lost.IsZero() && now.Sub(f.lost) < badFor
}

// order returns targets in the order in which they are to be tried.
func (h *addressHistory) order(targets []string, now time.Time) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ordered := slices.Clone(targets)
	slices.SortStableFunc(ordered, func(a, b string) int {
		first, second := h.records[a], h.records[b]
		switch {
		case first.bad(now) && second.bad(now):
			return first.lost.Compare(second.lost)
		case first.bad(now):
			return 1
		case second.bad(now):
			return -1
		}
		return cmp.Compare(first.won, second.won)
	})
	return ordered
}

// won notes who won a race and whom it left behind.
func (h *addressHistory) won(winner string, losers []string, now time.Time) {
	h.lost(now, losers...)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.room()
	h.dials++
	h.records[winner] = addressRecord{won: h.dials}
}

// lost notes who failed, was overtaken or went unanswered.
func (h *addressHistory) lost(now time.Time, losers ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.room()
	for _, loser := range losers {
		h.records[loser] = addressRecord{won: h.records[loser].won, lost: now}
	}
}

// connected notes that an address answered in a race that another had won.
func (h *addressHistory) connected(target string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.room()
	h.records[target] = addressRecord{won: h.records[target].won}
}

// room makes room for one more address. The caller holds the lock.
func (h *addressHistory) room() {
	if h.records == nil || len(h.records) > maxHistory {
		h.records = map[string]addressRecord{}
	}
}
