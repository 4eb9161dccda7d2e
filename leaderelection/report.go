package leaderelection

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
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
		le.sayFarLonger(logger, state)
	}
	le.see(sighting{at: le.clock.now(), holder: state.Record.HolderIdentity, lease: state.Duration})
	le.reportHolder(state.Record.HolderIdentity)
}

// reportReleased takes note of a release of this elector's own.
func (le *LeaderElector) reportReleased() {
	le.see(sighting{at: le.clock.now()})
	le.reportHolder("")
}

func (le *LeaderElector) sayFarLonger(logger klog.Logger, state rl.Snapshot) {
	le.mu.Lock()
	said := le.loud == state.Duration
	le.loud = state.Duration
	le.mu.Unlock()
	if !said {
		logger.Error(nil, "The holder's lease is far longer than this contender's. It is honoured: nobody takes over before it has run out",
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

// mostCallsWaiting bounds the calls that wait for one that does not return.
const mostCallsWaiting = 16

// callQueue runs functions one after another, in the order they were added,
// without making whoever adds one wait. While one does not return, the newest
// wait for it, at most mostCallsWaiting; older ones are left out. The zero value
// is ready for use.
type callQueue struct {
	mu      sync.Mutex
	waiting []func()
	// idle is closed when everything has run; nil where nothing runs.
	idle chan struct{}
}

func (q *callQueue) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == mostCallsWaiting {
		q.waiting = slices.Delete(q.waiting, 0, 1)
	}
	q.waiting = append(q.waiting, f)
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.drain()
	}
}

func (q *callQueue) drain() {
	ended := false
	defer func() {
		if !ended {
			go q.drain() // a call ended its goroutine, as a test's FailNow does
		}
	}()
	for f := q.next(); f != nil; f = q.next() {
		f()
	}
	ended = true
}

// next takes the next function off the queue. When there is none, it returns nil
// and the queue is idle.
func (q *callQueue) next() func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		close(q.idle)
		q.idle = nil
		return nil
	}
	f := q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	return f
}

// flush waits until everything has run that was added, for at most bound.
func (q *callQueue) flush(clock timepiece, bound time.Duration) {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	if idle == nil {
		return
	}
	patience := clock.NewTimer(bound)
	defer patience.Stop()
	select {
	case <-idle:
	case <-patience.C():
	}
}

// Check returns an error when guarded work has outlived its lease by more than
// maxTolerableExpiredLease, by the fastest of the machine's clocks:
// OnStartedLeading has not returned although another may lead. The process
// should then be killed, which is what a liveness probe does. While a machine
// has just been resumed and the term is in doubt, a renewal is tried at once,
// and a later check passes where it has succeeded.
func (le *LeaderElector) Check(maxTolerableExpiredLease time.Duration) error {
	le.mu.Lock()
	w := le.work
	le.mu.Unlock()
	if w == nil {
		return nil
	}
	select {
	case <-w.done:
		return nil
	default:
	}
	_ = w.term.Err() // asks for a renewal if the term is in doubt
	outlived := le.clock.now().fastest(w.term.lastSent()) - le.timing.lease
	if outlived > maxTolerableExpiredLease {
		return workOutlivedLease{lock: le.lock.Describe(), name: le.config.Name, by: outlived}
	}
	return nil
}
