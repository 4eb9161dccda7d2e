package leaderelection

import (
	"slices"
	"sync"
	"time"
)

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

// flush waits until everything has run that was added, for at most bound. It is the
// world's time that passes meanwhile, not an elector's: a fake clock may stand still.
func (q *callQueue) flush(bound time.Duration) {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	if idle == nil {
		return
	}
	patience := time.NewTimer(bound)
	defer patience.Stop()
	select {
	case <-idle:
	case <-patience.C:
	}
}
