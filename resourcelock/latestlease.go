package resourcelock

import (
	"strconv"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// latestLease holds the newest state of one Lease that its reader has not taken
// yet. Posting never waits, so a slow reader delays nobody; a newer state
// replaces one that was not taken.
//
// That leaves out states, as a poll does, and is as safe: a contender acts on
// the newest state and on how long it has seen that one, never on how it came
// about. Seeing a state late only makes it wait longer. A release or a deletion
// is left out only when the Lease has been taken or created anew since, and
// then it is the new state that counts.
//
// Which state is the newest is a matter of order, and versions only help to tell
// it: an API that was restored from a backup goes on with lower ones. States that
// come by the watch are in order among themselves. A read shows the truth as of
// some moment after it began, so it is newer than whatever had come before that.
// Only where a read and the watch overlap do versions decide.
type latestLease struct {
	// news is written when there is something to take.
	news chan struct{}

	mu    sync.Mutex
	full  bool
	lease *coordinationv1.Lease // nil: the Lease does not exist
	// newest is the version of the newest state, posts how many that were news the
	// watch has brought.
	newest uint64
	posts  int
	// floor is the version that a read has seen and the watch may not have come
	// to yet: what it brings until then is old. Zero for none.
	floor uint64
}

// newLatestLease returns a latestLease whose reader knows the state from.
func newLatestLease(from Snapshot) *latestLease {
	version := versionOf(from.ResourceVersion)
	return &latestLease{news: make(chan struct{}, 1), newest: version, floor: version}
}

// post leaves a state that the watch has brought, lease being nil when it was
// deleted at version. Version 0 cannot be compared.
func (m *latestLease) post(version uint64, lease *coordinationv1.Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if version != 0 && version < m.floor {
		return
	}
	known := version != 0 && version == m.floor
	m.floor = 0
	if !known {
		m.posts++
		m.put(version, lease)
	}
}

func (m *latestLease) put(version uint64, lease *coordinationv1.Lease) {
	m.newest, m.full, m.lease = version, true, lease
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// reading begins a read and returns what takes in its answer, lease being nil
// when there is no Lease. That reports whether the versions of this Lease have
// gone backwards.
func (m *latestLease) reading() (read func(version uint64, lease *coordinationv1.Lease) (backwards bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.posts
	return func(version uint64, lease *coordinationv1.Lease) bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		switch {
		case m.posts != before && (version == 0 || version <= m.newest):
			return false // what the watch has brought meanwhile may be newer
		case version != 0 && version == m.newest:
			return false
		}
		backwards := version != 0 && version < m.newest
		m.floor = version
		m.put(version, lease)
		return backwards
	}
}

// take returns the newest state, and false if there is none to take.
func (m *latestLease) take() (*coordinationv1.Lease, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lease, full := m.lease, m.full
	m.lease, m.full = nil, false
	return lease, full
}

// versionOf returns a resourceVersion as a number, 0 if it is none.
func versionOf(resourceVersion string) uint64 {
	version, err := strconv.ParseUint(resourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return version
}
