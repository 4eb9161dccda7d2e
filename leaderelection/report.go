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

// report takes note of a state that was seen.
func (le *LeaderElector) report(logger klog.Logger, state rl.Snapshot) {
	if state.Record.HolderIdentity != "" && state.Duration/farLonger > le.timing.lease {
		le.sayFarLonger(logger, state)
	}
	le.mu.Lock()
	le.seen = sighting{at: le.clock.now(), holder: state.Record.HolderIdentity, lease: state.Duration}
	le.mu.Unlock()
	le.reportHolder(state.Record.HolderIdentity)
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
// is another than before.
func (le *LeaderElector) reportHolder(holder string) {
	le.mu.Lock()
	le.holder = holder
	changed := holder != le.reported
	le.reported = holder
	le.mu.Unlock()
	if changed && le.config.Callbacks.OnNewLeader != nil {
		le.queue.add(func() { le.config.Callbacks.OnNewLeader(holder) })
	}
}

// callQueue runs functions one after another, in the order they were added,
// without making whoever adds one wait. The zero value is ready for use.
type callQueue struct {
	mu      sync.Mutex
	waiting []func()
	running bool
}

func (q *callQueue) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, f)
	if !q.running {
		q.running = true
		go q.drain()
	}
}

func (q *callQueue) drain() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running = false
			q.mu.Unlock()
			return
		}
		f := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		f()
	}
}

// Check returns an error when guarded work has outlived its lease by more than
// maxTolerableExpiredLease: OnStartedLeading has not returned although another
// may lead. The process should then be killed, which is what a liveness probe
// does.
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
	outlived := le.clock.now().steady(w.term.lastSent()) - le.timing.lease
	if outlived > maxTolerableExpiredLease {
		return workOutlivedLease{lock: le.lock.Describe(), name: le.config.Name, by: outlived}
	}
	return nil
}
