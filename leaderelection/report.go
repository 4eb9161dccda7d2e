package leaderelection

import (
	"sync"
	"time"

	"k8s.io/klog/v2"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// farLonger is how many times a contender's own lease another's must be for the
// log to speak of it.
const farLonger = 10

// reporter keeps what was seen of the lease by whichever part of an elector, and tells
// OnNewLeader of it. It is safe for concurrent use, and nobody waits for a callback.
type reporter struct {
	clock timepiece
	// lease is how long the contender's own lease lasts.
	lease time.Duration
	// onNewLeader is the callback; it may be nil.
	onNewLeader func(identity string)
	queue       callQueue

	mu sync.Mutex
	// holder is the last one seen, reported the last one that OnNewLeader was to
	// be called with, told the last one that it was called with.
	holder, reported, told string
	// seen is the newest record that was seen, and when.
	seen sighting
	// loggedLease is the last lease that the log has called far too long.
	loggedLease time.Duration
}

// report takes note of a state that was seen.
func (r *reporter) report(logger klog.Logger, state rl.Snapshot) {
	if state.Record.HolderIdentity != "" && state.Duration/farLonger > r.lease {
		r.logFarLonger(logger, state)
	}
	r.see(sighting{at: r.clock.now(), holder: state.Record.HolderIdentity, lease: state.Duration})
	r.reportHolder(state.Record.HolderIdentity)
}

// reportReleased takes note of a release of this elector's own.
func (r *reporter) reportReleased() {
	r.see(sighting{at: r.clock.now()})
	r.reportHolder("")
}

func (r *reporter) logFarLonger(logger klog.Logger, state rl.Snapshot) {
	r.mu.Lock()
	logged := r.loggedLease == state.Duration
	r.loggedLease = state.Duration
	r.mu.Unlock()
	if !logged {
		logger.Error(nil, "The holder's lease is far longer than this contender's. This contender waits until it has run out",
			"holder", state.Record.HolderIdentity, "lease", state.Duration, "own", r.lease)
	}
}

// reportHolder takes note of who holds the lease, and calls OnNewLeader when it
// is another than before. A release is no new leader.
func (r *reporter) reportHolder(holder string) {
	r.mu.Lock()
	r.holder = holder
	changed := holder != "" && holder != r.reported
	if changed {
		r.reported = holder
	}
	r.mu.Unlock()
	if changed && r.onNewLeader != nil {
		r.queue.add(func() { r.tellNewLeader(holder) })
	}
}

// tellNewLeader calls OnNewLeader, unless what was left out since the last call
// makes it the same holder again. Calls are made one at a time.
func (r *reporter) tellNewLeader(holder string) {
	r.mu.Lock()
	same := r.told == holder
	r.told = holder
	r.mu.Unlock()
	if !same {
		r.onNewLeader(holder)
	}
}

// lastHolder returns who was seen to hold the lease last, empty for nobody.
func (r *reporter) lastHolder() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.holder
}
