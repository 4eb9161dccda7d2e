package leaderelection

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// Leader is who held the lease from some moment on.
type Leader struct {
	// Holder is the identity; empty when nobody held the lease, because it was
	// released or there was no Lease.
	Holder string
	// AcquireTime is the holder's clock when its term began.
	AcquireTime time.Time
	// Transitions is how often the lease has changed hands.
	Transitions int
}

// observe tells every change of leader by a watch of its own, or by polling.
func (e *election) observe(ctx context.Context) <-chan Leader {
	leaders := make(chan Leader)
	var changes leaderQueue
	changes.more = make(chan struct{}, 1)
	w := e.newLeaseWatcher(new(allowance), func(state rl.Snapshot) { changes.add(leaderOf(state)) })
	var running sync.WaitGroup
	running.Go(func() { w.observe(ctx, e.callBound) })
	running.Go(func() { changes.send(ctx, leaders) })
	go func() {
		running.Wait()
		close(leaders)
	}()
	return leaders
}

// observe keeps the observation up to date until ctx ends.
func (w *leaseWatcher) observe(ctx context.Context, bound time.Duration) {
	var following sync.WaitGroup
	defer following.Wait()
	var complaints failureLog
	for started := false; ctx.Err() == nil; {
		if w.observed().known && !started {
			started = true
			following.Go(func() { bounded.Raise(ctx, w.follow(ctx)) })
		}
		if due := w.readDue(w.clock.now()); due > 0 {
			w.clock.sleep(ctx, due)
			continue
		}
		if err := w.read(ctx, bound); err != nil {
			bounded.Raise(ctx, err)
			w.readFailed(err)
			if ctx.Err() == nil {
				complaints.sayUnreadable(klog.FromContext(ctx), w.clock.now(), err)
			}
		}
	}
}

func (l Leader) same(other Leader) bool {
	return l.Holder == other.Holder && l.Transitions == other.Transitions && l.AcquireTime.Equal(other.AcquireTime)
}

func leaderOf(state rl.Snapshot) Leader {
	return Leader{
		Holder:      state.Record.HolderIdentity,
		AcquireTime: state.Record.AcquireTime.Time,
		Transitions: state.Record.LeaderTransitions,
	}
}

// mostLeadersWaiting bounds the changes that wait for a receiver.
const mostLeadersWaiting = 1000

// leaderQueue holds the changes that were not received yet.
type leaderQueue struct {
	more chan struct{}

	mu      sync.Mutex
	waiting []Leader
	last    *Leader
}

// add queues leader unless it is the one that was queued last.
func (q *leaderQueue) add(leader Leader) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last != nil && q.last.same(leader) {
		return
	}
	if q.last != nil && q.last.Holder == "" && leader.Holder == "" {
		return // the Lease was deleted after a release, or the reverse
	}
	q.last = &leader
	if len(q.waiting) == mostLeadersWaiting {
		q.waiting = slices.Delete(q.waiting, 0, 1)
	}
	q.waiting = append(q.waiting, leader)
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// next takes the oldest change that waits.
func (q *leaderQueue) next() (leader Leader, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return Leader{}, false
	}
	leader = q.waiting[0]
	q.waiting = slices.Delete(q.waiting, 0, 1)
	return leader, true
}

// send sends the changes, oldest first, until ctx ends.
func (q *leaderQueue) send(ctx context.Context, leaders chan<- Leader) {
	for {
		for leader, ok := q.next(); ok; leader, ok = q.next() {
			select {
			case leaders <- leader:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-q.more:
		case <-ctx.Done():
			return
		}
	}
}
