package leaderelection

import (
	"fmt"
	"runtime/debug"
	"time"

	"k8s.io/klog/v2"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// farLonger is how many times a contender's own lease another's must be for the
// log to speak of it.
const farLonger = 10

// report takes note of a state that was seen.
func (le *LeaderElector) report(logger klog.Logger, state rl.Snapshot) {
	if state.Record.HolderIdentity != "" && state.Duration/farLonger > le.timing.lease {
		le.logFarLonger(logger, state)
	}
	le.see(sighting{at: le.clock.now(), holder: state.Record.HolderIdentity, lease: state.Duration})
	le.reportHolder(state.Record.HolderIdentity)
}

// reportReleased takes note of a release of this elector's own.
func (le *LeaderElector) reportReleased() {
	le.see(sighting{at: le.clock.now()})
	le.reportHolder("")
}

func (le *LeaderElector) logFarLonger(logger klog.Logger, state rl.Snapshot) {
	le.mu.Lock()
	logged := le.loggedLease == state.Duration
	le.loggedLease = state.Duration
	le.mu.Unlock()
	if !logged {
		logger.Error(nil, "The holder's lease is far longer than this contender's. This contender waits until it has run out",
			"holder", state.Record.HolderIdentity, "lease", state.Duration, "own", le.timing.lease)
	}
}

// reportHolder takes note of who holds the lease, and calls OnNewLeader when it
// is another than before. A release is no new leader.
func (le *LeaderElector) reportHolder(holder string) {
	le.mu.Lock()
	le.holder = holder
	changed := holder != "" && holder != le.reported
	if changed {
		le.reported = holder
	}
	le.mu.Unlock()
	if changed && le.config.Callbacks.OnNewLeader != nil {
		le.queue.add(func() { le.tellNewLeader(holder) })
	}
}

// tellNewLeader calls OnNewLeader, unless what was left out since the last call
// makes it the same holder again. Calls are made one at a time.
func (le *LeaderElector) tellNewLeader(holder string) {
	le.mu.Lock()
	same := le.told == holder
	le.told = holder
	le.mu.Unlock()
	if !same {
		le.config.Callbacks.OnNewLeader(holder)
	}
}

// flushEvents is how long the end of a term waits for the recorder of events,
// since many a process exits when its term has ended.
const flushEvents = 100 * time.Millisecond

// recordEvent tells the recorder, which the election does not wait for. One that
// panics is said and costs the event.
func (le *LeaderElector) recordEvent(logger klog.Logger, event string) {
	le.events.add(func() {
		defer func() {
			if reason := recover(); reason != nil {
				logger.Error(fmt.Errorf("%v", reason), "The recorder of events panicked", "event", event, "stack", string(debug.Stack()))
			}
		}()
		le.lock.RecordEvent(event)
	})
}
