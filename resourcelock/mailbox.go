package resourcelock

import (
	"strconv"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// mailbox holds the newest state of one Lease that its reader has not taken
// yet. Posting never waits, so a slow reader delays nobody; a newer state
// replaces one that was not taken.
//
// That leaves out states, as a poll does, and is as safe: a contender acts on
// the newest state and on how long it has seen that one, never on how it came
// about. Seeing a state late only makes it wait longer. A release or a deletion
// is left out only when the Lease has been taken or created anew since, and
// then it is the new state that counts.
type mailbox struct {
	// news is written when there is something to take.
	news chan struct{}

	mu     sync.Mutex
	full   bool
	lease  *coordinationv1.Lease // nil: the Lease does not exist
	newest uint64                // version of the newest state ever posted
}

func newMailbox() *mailbox { return &mailbox{news: make(chan struct{}, 1)} }

// post leaves a state, lease being nil when it was deleted at version, unless it
// is no newer than one that was posted before. Version 0 cannot be compared and
// counts as newer.
func (m *mailbox) post(version uint64, lease *coordinationv1.Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if version != 0 && version <= m.newest {
		return
	}
	m.newest = max(m.newest, version)
	m.full, m.lease = true, lease
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// postAbsent leaves what a read found: no Lease. What the watch has posted in
// the meantime may be newer and stays.
func (m *mailbox) postAbsent() {
	m.mu.Lock()
	untouched := m.newest == 0
	m.mu.Unlock()
	if untouched {
		m.post(0, nil)
	}
}

// take returns the newest state, and false if there is none to take.
func (m *mailbox) take() (*coordinationv1.Lease, bool) {
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
