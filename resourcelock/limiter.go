package resourcelock

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/internal/bounded"
	"github.com/holdfast-go/holdfast/internal/turn"
)

// leastWidth is how many requests of one client are under way at once while all
// of them are answered soon. With one watch and one hedge beside them, that
// makes eight connections.
const leastWidth = 6

// limiter limits how many requests are in flight, in the order in which they came, so
// that many leases share few connections. It is no rate limit and must never become one:
//
//   - A request that has been in flight for as long as `slow` no longer counts once as many
//     later ones have been answered as are in flight, or once nothing at all is answered for
//     as long as `stuck`, up to mostUncounted at once. A slow lease holds up nobody, and its hedges, which
//     are sent below the limiter, never wait. Where all are slow, more of them in flight
//     would only be more connections to make, for an API or a process that is slow already.
//   - When the first in the queue has waited for as long as `slow`, the API is
//     slower, or there is more to do, than the width allows for: it doubles, at
//     most once in that time and in that of two answers. If that did not let more requests
//     through, what is slow is a processor, this one's or the API's, which more connections
//     would only slow down further: the width goes back and stays for a while, each
//     time for longer. It also halves when little of it is in use.
//
// Of those that wait the one of the lowest rank (package turn) is let in first. But each
// eighth turn is that of who has waited longest, whatever its rank: renewals that take all there
// is, and still come in time, would keep everyone else from learning anything for ever.
//
// A wait ends with its context, unanswered: where there is more to do than
// API and processors can bear, letting everyone in would only make it more.
//
// By Little's law, n requests a second that take t each keep n×t in flight. A
// thousand leases renewed every 2s need 6 for answers within 12ms.
type limiter struct {
	slow, stuck time.Duration

	mu        sync.Mutex
	width     int
	inFlight  int
	uncounted int                 // are in flight, slow, and do not count
	queued    [turn.Ranks]waiters // who waits, by rank
	came, let int                 // how many have waited, ever, and how many of them had their turn
	tick      *time.Timer         // looks whether the first of them waits for long
	answered  int                 // how many were answered, ever
	last      time.Time           // when the last of them was
	took      time.Duration       // from the sending of a request to the answer, on average
	changed   time.Time           // when the width was, or a queue began
	passed    int                 // how many were answered since
	before    float64             // how many a second before the width was doubled last
	stay      time.Time           // do not widen before
	vain      int                 // how often in a row widening was of no use
	spare     []*slot             // are over, for the next requests
}

// waiters are requests that wait, the first to come first.
type waiters []waiter

// waiter is a request that waits for a channel to be closed.
type waiter struct {
	number int // in the order in which they came
	comes  chan struct{}
}

const (
	// worthwhile is by how much a doubled width must raise the throughput.
	worthwhile = 1.6
	// stayFor is for how many periods the width stays where a doubling of it was
	// of no use, twice as many each time in a row up to 2^mostVain.
	stayFor  = 8
	mostVain = 5
	// mostUncounted is how many slow requests do not count. When there are more,
	// the API or this process is slow for all of them, and still more requests
	// under way would make it slower: then only widening lets in more.
	mostUncounted = 4 * leastWidth
	// share is of how many turns one goes to who has waited longest.
	share = 8
)

func newLimiter(slow, stuck time.Duration) *limiter {
	return &limiter{slow: slow, stuck: max(slow, stuck), width: leastWidth}
}

// acquire waits for a slot, which is to be ended once. The error is that of ctx; waited
// is how long that took.
func (l *limiter) acquire(ctx context.Context) (s *slot, waited time.Duration, err error) {
	t := turn.Of(ctx)
	s, comes := l.enter(t.Ranked())
	if s != nil { // as most
		t.Send(0)
		return s, 0, nil
	}
	since := time.Now()
	t.Wait()
	select {
	case <-comes:
		switch {
		case ctx.Err() != nil: // whoever made the call takes it for one that was not sent
			err = bounded.Ended(ctx)
		case !l.inTime(ctx):
			err = errTooLate
		}
	case <-ctx.Done():
		err = bounded.Ended(ctx)
	}
	waited = time.Since(since)
	if err != nil {
		t.Miss()
		l.giveUp(comes)
		return nil, waited, err
	}
	t.Send(waited)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newSlot(), waited, nil
}

// errTooLate is the error of a request whose turn has come too late.
var errTooLate = fmt.Errorf("what is left of its bound is less than an answer takes: %w", context.DeadlineExceeded)

// inTime reports whether a request that has waited may be answered before its context
// ends. One that will not be would take its connection with it.
func (l *limiter) inTime(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	l.mu.Lock()
	defer l.mu.Unlock()
	return !bounded || time.Until(deadline) > l.took
}

// enter returns a slot if there is room and nobody waits who would be passed, else what
// is closed when there is.
func (l *limiter) enter(rank turn.Rank) (*slot, chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inFlight < l.width { // then nobody waits
		l.inFlight++
		return l.newSlot(), nil
	}
	if l.waiting() == 0 { // what happened while nobody waited says nothing
		l.resize(l.width, time.Now())
		l.look(l.slow)
	}
	comes := make(chan struct{})
	l.came++
	l.queued[rank] = append(l.queued[rank], waiter{l.came, comes})
	return nil, comes
}

// newSlot returns the slot of a request that was let in. The caller holds the lock.
func (l *limiter) newSlot() *slot {
	var s *slot
	if last := len(l.spare) - 1; last >= 0 {
		s, l.spare = l.spare[last], l.spare[:last]
		s.timer.Reset(l.slow)
	} else {
		s = &slot{limiter: l}
		s.timer = time.AfterFunc(l.slow, s.tooSlow)
	}
	s.began = time.Now()
	s.due = s.began.Add(l.slow)
	s.answered, s.ahead = l.answered, l.inFlight+l.uncounted-1
	return s
}

// slot is held by one request in flight. The lock of its limiter guards it.
type slot struct {
	limiter *limiter
	timer   *time.Timer

	began, due      time.Time // when the request was sent, and the timer fires
	answered, ahead int       // how many others were, and how many were in flight, when it was sent
	uncounted, over bool
}

// end ends the request, with an answer or without. Nobody refers to the slot any more. It
// is kept for another request, unless its timer may still be at work.
func (s *slot) end(answered bool) {
	idle := s.timer.Stop()
	l := s.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if answered {
		l.answered++
		l.passed++
		l.last = time.Now()
		l.took += (min(l.last.Sub(s.began), 2*max(l.slow, l.took)) - l.took) / 8
	}
	if s.uncounted {
		l.uncounted--
	} else {
		l.out()
	}
	s.over = !idle
	s.uncounted = false
	if idle && len(l.spare) < leastWidth {
		l.spare = append(l.spare, s)
	}
}

// tooSlow stops counting the request if the others do not wait like it, unless so many
// are slow that it is no longer a matter of single leases. Where this process is late, it
// waits for as long as stuck: another's answer may have been seen before its own.
func (s *slot) tooSlow() {
	l := s.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if s.over {
		return
	}
	late := now.Sub(s.due) // that is this process, and says nothing of the request
	overtaken := l.answered-s.answered-s.ahead >= leastWidth
	silent := now.Sub(l.last)-late >= l.stuck
	hangs := now.Sub(s.began)-late >= l.stuck && (overtaken || silent)
	if l.uncounted < mostUncounted && (hangs || overtaken && late < l.slow/10) {
		s.uncounted = true
		l.uncounted++
		l.out()
		return
	}
	s.due = now.Add(l.slow)
	s.timer.Reset(l.slow)
}

// waiting is how many wait. The caller holds the lock, as for all that follows.
func (l *limiter) waiting() (n int) {
	for _, list := range l.queued {
		n += len(list)
	}
	return n
}

// look has widen called after a while.
func (l *limiter) look(after time.Duration) {
	if l.tick == nil {
		l.tick = time.AfterFunc(after, l.widen)
		return
	}
	l.tick.Reset(after)
}

// rounds is how many times its own number of answers a width is judged by: fewer say
// little, since a processor that is short comes and goes.
const rounds = 2

// widen is called when somebody has waited for as long as slow.
func (l *limiter) widen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting() == 0 {
		return
	}
	now := time.Now()
	if left := max(l.changed.Add(l.slow).Sub(now), l.stay.Sub(now)); left > 0 {
		l.look(left)
		return
	}
	defer l.look(l.slow)
	if l.passed < rounds*l.width {
		return
	}
	rate := float64(l.passed) / now.Sub(l.changed).Seconds()
	if l.width > leastWidth && rate <= worthwhile*l.before {
		l.stay = now.Add(stayFor << min(l.vain, mostVain) * l.slow)
		l.vain++
		l.resize(l.width/2, now)
		return
	}
	if l.width > leastWidth {
		l.vain = 0
	}
	l.before = rate
	l.resize(2*l.width, now)
	l.admit()
}

func (l *limiter) resize(width int, now time.Time) {
	l.width, l.changed, l.passed = max(width, leastWidth), now, 0
}

// giveUp ends a wait.
func (l *limiter) giveUp(comes chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rank := range l.queued {
		if l.queued[rank].remove(comes) {
			return
		}
	}
	l.inFlight-- // it had just been let in, and the turn is that of the next like it
	l.let--
	l.admit()
}

// remove takes one off the list, and reports whether it was on it.
func (w *waiters) remove(comes chan struct{}) bool {
	i := slices.IndexFunc(*w, func(one waiter) bool { return one.comes == comes })
	if i >= 0 {
		*w = slices.Delete(*w, i, i+1)
	}
	return i >= 0
}

// out makes room for the next.
func (l *limiter) out() {
	l.inFlight--
	if now := time.Now(); l.waiting() == 0 && l.width > leastWidth && l.inFlight < l.width/4 && now.Sub(l.changed) >= l.slow {
		l.resize(l.width/2, now)
	}
	l.admit()
}

// admit lets in whom there is room for.
func (l *limiter) admit() {
	for l.inFlight < l.width {
		list := l.next()
		if list == nil {
			return
		}
		close((*list)[0].comes)
		*list = slices.Delete(*list, 0, 1)
		l.inFlight++
		l.let++
	}
}

// next returns the list whose first is next, nil if nobody waits: that of the lowest rank, and
// now and then that of who has waited longest.
func (l *limiter) next() (next *waiters) {
	for rank := range l.queued {
		list := &l.queued[rank]
		switch {
		case len(*list) == 0:
		case next == nil, l.let%share == share-1 && (*list)[0].number < (*next)[0].number:
			next = list
		}
	}
	return next
}
