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
	// maxFortunes bounds the memory of a Dialer whose names keep changing.
	maxFortunes = 1024
)

// fortunes remembers how addresses fared in the last dials of a Dialer. A
// connection may be established and still be of no use (the kernel of a frozen
// host accepts for it), which shows only in that another dial is wanted. So the
// next dial begins with the address that has waited longest, and ends with
// those that lately refused or were overtaken. The zero value is useful; it is
// safe for concurrent use.
type fortunes struct {
	mu    sync.Mutex
	dials int64
	of    map[string]fortune // by "ip:port"
}

type fortune struct {
	won  int64     // the number of the dial it won last
	lost time.Time // when it last lost, zero if it has won since
}

func (f fortune) bad(now time.Time) bool {
	return !f.lost.IsZero() && now.Sub(f.lost) < badFor
}

// order returns targets in the order in which they are to be tried.
func (f *fortunes) order(targets []string, now time.Time) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	ordered := slices.Clone(targets)
	slices.SortStableFunc(ordered, func(a, b string) int {
		first, second := f.of[a], f.of[b]
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
func (f *fortunes) won(winner string, losers []string, now time.Time) {
	f.lost(now, losers...)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room()
	f.dials++
	f.of[winner] = fortune{won: f.dials}
}

// lost notes who failed, was overtaken or went unanswered.
func (f *fortunes) lost(now time.Time, losers ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room()
	for _, loser := range losers {
		f.of[loser] = fortune{won: f.of[loser].won, lost: now}
	}
}

// connected notes that an address answered in a race that another had won.
func (f *fortunes) connected(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room()
	f.of[target] = fortune{won: f.of[target].won}
}

// room makes room for one more address. The caller holds the lock.
func (f *fortunes) room() {
	if f.of == nil || len(f.of) > maxFortunes {
		f.of = map[string]fortune{}
	}
}
