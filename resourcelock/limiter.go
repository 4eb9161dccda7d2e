package resourcelock

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// leastWidth is how many requests of one client are under way at once while all
// of them are answered soon. With one watch and one hedge beside them, that
// makes eight connections.
const leastWidth = 6

// limiter limits how many requests are in flight, in the order in which they came, so
// that many leases share few connections. It is no rate limit and must never become one:
//
//   - A request that has been in flight for as long as `slow` no longer counts, up to
//     mostUncounted at once. A slow lease holds up nobody, and its hedges, which
//     are sent below the limiter, never wait.
//   - When the first in the queue has waited for as long as `slow`, the API is
//     slower, or there is more to do, than the width allows for: it doubles, at
//     most once in that time. If that did not let more requests through, what
//     is slow is a processor, this one's or the API's, which more connections
//     would only slow down further: the width goes back and stays for a while.
//     It also halves when little of it is in use.
//
// A wait ends with its context, unanswered: where there is more to do than
// API and processors can bear, letting everyone in would only make it more.
//
// By Little's law, n requests a second that take t each keep n×t in flight. A
// thousand leases renewed every 2s need 6 for answers within 12ms.
type limiter struct {
	slow time.Duration

	uncounted atomic.Int64 // are slow and do not count

	mu       sync.Mutex
	width    int
	inFlight int
	queued   []chan struct{} // closed for who may enter
	changed  time.Time       // when the width was, or a queue began
	passed   int             // how many were answered, or slow, since
	before   float64         // how many a second before the width was doubled last
	stay     time.Time       // do not widen before
	spare    []*slot         // are over, for the next requests
}

const (
	// worthwhile is by how much a doubled width must raise the throughput.
	worthwhile = 1.3
	// stayFor is for how many times slow the width stays where a doubling of it
	// was of no use.
	stayFor = 8
	// mostUncounted is how many slow requests do not count. When there are more,
	// the API or this process is slow for all of them, and still more requests
	// under way would make it slower: then only widening lets in more.
	mostUncounted = 4 * leastWidth
)

func newLimiter(slow time.Duration) *limiter {
	return &limiter{slow: slow, width: leastWidth}
}

// acquire waits for a slot. It returns how long that took and what releases it, which
// may be called more than once; an error is that of ctx.
func (l *limiter) acquire(ctx context.Context) (waited time.Duration, release func(), err error) {
	turn := l.queue()
	if turn != nil {
		since := time.Now()
		if err := l.wait(ctx, turn); err != nil {
			return time.Since(since), nil, err
		}
		waited = time.Since(since)
	}
	return waited, l.newSlot().release, nil
}

// tryAcquire lets a request in for which there is room and that passes nobody who
// waits, as most requests; else it returns nil. The slot is to be ended once.
func (l *limiter) tryAcquire() *slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.room() {
		return nil
	}
	last := len(l.spare) - 1
	if last < 0 {
		return l.newSlot()
	}
	s := l.spare[last]
	l.spare = l.spare[:last]
	s.slow.Reset(l.slow)
	return s
}

func (l *limiter) newSlot() *slot {
	s := &slot{limiter: l}
	s.slow = time.AfterFunc(l.slow, s.tooSlow)
	return s
}

// end is release for a slot that nobody refers to any more. It is kept for
// another request, unless its timer may still be at work.
func (s *slot) end() {
	idle := s.slow.Stop()
	s.release()
	if !idle {
		return
	}
	s.released = false
	l := s.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spare) < leastWidth {
		l.spare = append(l.spare, s)
	}
}

// slot is held by one request in flight.
type slot struct {
	limiter *limiter
	slow    *time.Timer

	mu                  sync.Mutex
	uncounted, released bool
}

// tooSlow stops counting the request, unless so many are slow that it is no
// longer a matter of single leases.
func (s *slot) tooSlow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.released && s.limiter.uncount() {
		s.uncounted = true
		s.limiter.out()
	}
}

func (s *slot) release() {
	s.slow.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.released:
	case s.uncounted:
		s.limiter.uncounted.Add(-1)
	default:
		s.limiter.out()
	}
	s.released = true
}

// uncount reports whether one more slow request may go uncounted.
func (l *limiter) uncount() bool {
	if l.uncounted.Add(1) <= mostUncounted {
		return true
	}
	l.uncounted.Add(-1)
	return false
}

// queue returns nil to who may enter at once, else what is closed when they may.
func (l *limiter) queue() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.room() {
		return nil
	}
	if len(l.queued) == 0 { // what happened while nobody waited says nothing
		l.resize(l.width, time.Now())
	}
	turn := make(chan struct{})
	l.queued = append(l.queued, turn)
	return turn
}

// room takes a place if there is one that nobody waits for.
func (l *limiter) room() bool {
	if len(l.queued) > 0 || l.inFlight >= l.width {
		return false
	}
	l.inFlight++
	return true
}

func (l *limiter) wait(ctx context.Context, turn <-chan struct{}) error {
	widen := time.NewTicker(l.slow)
	defer widen.Stop()
	for {
		select {
		case <-turn:
			return nil
		case <-widen.C:
			l.widen()
		case <-ctx.Done():
			l.giveUp(turn)
			return bounded.Ended(ctx)
		}
	}
}

// widen is called by who has waited for as long as slow.
func (l *limiter) widen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	elapsed := now.Sub(l.changed)
	if len(l.queued) == 0 || elapsed < l.slow || now.Before(l.stay) {
		return
	}
	rate := float64(l.passed) / elapsed.Seconds()
	if l.width > leastWidth && rate < worthwhile*l.before {
		l.stay = now.Add(stayFor * l.slow)
		l.resize(l.width/2, now)
		return
	}
	l.before = rate
	l.resize(2*l.width, now)
	l.admit()
}

func (l *limiter) resize(width int, now time.Time) {
	l.width, l.changed, l.passed = max(width, leastWidth), now, 0
}

// giveUp ends a wait.
func (l *limiter) giveUp(turn <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.queued, func(c chan struct{}) bool { return c == turn })
	if i >= 0 {
		l.queued = slices.Delete(l.queued, i, i+1)
		return
	}
	l.inFlight-- // it had just been let in
	l.admit()
}

// out makes room for the next.
func (l *limiter) out() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.passed++
	if now := time.Now(); len(l.queued) == 0 && l.width > leastWidth && l.inFlight < l.width/4 && now.Sub(l.changed) >= l.slow {
		l.resize(l.width/2, now)
	}
	l.admit()
}

// admit lets in whom there is room for.
func (l *limiter) admit() {
	n := min(l.width-l.inFlight, len(l.queued))
	if n <= 0 {
		return
	}
	for _, turn := range l.queued[:n] {
		close(turn)
	}
	l.queued = slices.Delete(l.queued, 0, n)
	l.inFlight += n
}
