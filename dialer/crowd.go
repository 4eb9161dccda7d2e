package dialer

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxUnderway is how many dials of one Dialer may be under way at once, apart
// from those that somebody waits for who has no other.
const maxUnderway = 8

// crowd knows the dials of one Dialer that are under way, so that a host that is
// not there is not asked by dozens at once. A sibling joins only if there is room.
// For the first dial of a DialContext, and the first at an address, the oldest
// sibling makes room: what has gone unanswered longest is least likely to be
// answered. No DialContext loses its only dial. Attempts of one client wait for
// room where there is nothing but such dials; for the first of a call the oldest counts
// no more once it has taken so long (Dialer.long). A dial that was told to end and does
// not, for it is the user's own and heeds no context, takes up no room: it is no sign
// that the next one will not connect. The zero value is useful; it is safe for concurrent use.
type crowd struct {
	mu      sync.Mutex
	places  []*place // the oldest first
	waiting []chan struct{}
	ended   int // dials that were told to end, and have not yet
}

// maxDeafDials is how many dials may go on after they were told to end before only
// one at a time may join.
const maxDeafDials = 16

// place is a dial's place in the crowd.
type place struct {
	race    *race
	cancel  context.CancelFunc
	since   time.Time
	call    *atomic.Int32 // identifies the call that it is for, nil if there is none
	retired bool          // another has taken its place
	ended   bool          // it is none of the places any more, and was told to end
	left    chan struct{} // closed when the dial has ended
}

// farewell is how long a dial waits for the one that makes room for it to end. One
// of the user's own may not notice that it is to.
const farewell = 20 * time.Millisecond

// await waits until the dial has ended, if there is one.
func (p *place) await(ctx context.Context) {
	if p == nil {
		return
	}
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-p.left:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// room reports whether a sibling may join.
func (c *crowd) room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open()
}

// open is room for who holds the lock.
func (c *crowd) open() bool {
	return len(c.places) < maxUnderway && c.ended < maxDeafDials || len(c.places) == 0
}

// enter adds a dial, for which the oldest that is not its race's only one makes
// room if it must. Where none can, a patient dial waits until its context ends,
// and any other joins.
func (c *crowd) enter(ctx context.Context, r *race, cancel context.CancelFunc, patient bool) (*place, error) {
	joins := &place{race: r, cancel: cancel, left: make(chan struct{})}
	if u := requestTraceOf(ctx); u != nil && u.alone {
		joins.call = u.repeats
	}
	for waited := false; ; waited = true {
		joins.since = time.Now()
		c.mu.Lock()
		var leaves *place
		if len(c.places) >= maxUnderway {
			if leaves = c.retire(r); leaves == nil && patient && waited {
				c.excuse(joins.call, r.long)
			}
		}
		if c.open() || !patient {
			c.places = append(c.places, joins)
			c.mu.Unlock()
			leaves.await(ctx)
			return joins, nil
		}
		turn := make(chan struct{})
		c.waiting = append(c.waiting, turn)
		late := time.NewTimer(c.patience(r.long, waited))
		c.mu.Unlock()
		select {
		case <-turn:
		case <-late.C:
			c.mu.Lock()
			c.withdraw(turn)
			c.mu.Unlock()
		case <-ctx.Done():
			late.Stop()
			c.mu.Lock()
			if !c.withdraw(turn) {
				c.next() // the turn had come, and is another's now
			}
			c.mu.Unlock()
			return nil, ctx.Err()
		}
		late.Stop()
	}
}

// withdraw takes back a wait, and reports false if its turn has come. The caller
// holds the lock.
func (c *crowd) withdraw(turn chan struct{}) bool {
	n := slices.Index(c.waiting, turn)
	if n >= 0 {
		c.waiting = slices.Delete(c.waiting, n, n+1)
	}
	return n >= 0
}

// patience returns how long it is until the oldest dial has taken long. One that has
// may be about to end. The caller holds the lock.
func (c *crowd) patience(long time.Duration, waited bool) time.Duration {
	if len(c.places) == 0 { // dials that were told to end are in the way
		return long
	}
	left := long - time.Since(c.places[0].since)
	if left <= 0 && waited { // it is not to be excused for everyone
		return long
	}
	return max(left, farewell)
}

// excuse takes the place of the oldest dial if it has taken long, and lets it go on,
// unless the call that waits has dials anyway. The caller holds the lock.
func (c *crowd) excuse(call *atomic.Int32, long time.Duration) {
	has := slices.ContainsFunc(c.places, func(p *place) bool { return call != nil && p.call == call })
	if !has && len(c.places) > 0 && time.Since(c.places[0].since) >= long {
		c.places = slices.Delete(c.places, 0, 1)
	}
}

// retire ends the oldest dial that its race can do without when joins has joined,
// and returns nil if there is none. The caller holds the lock.
func (c *crowd) retire(joins *race) *place {
	of := map[*race]int{joins: 1}
	for _, p := range c.places {
		of[p.race]++
	}
	n := slices.IndexFunc(c.places, func(p *place) bool { return of[p.race] > 1 })
	if n < 0 {
		return nil
	}
	oldest := c.places[n]
	oldest.retired = true
	c.end(n)
	return oldest
}

// end tells the n-th dial to end, and takes its place. The caller holds the lock.
func (c *crowd) end(n int) {
	p := c.places[n]
	p.ended = true
	c.ended++
	p.cancel()
	c.places = slices.Delete(c.places, n, n+1)
}

// over takes the places of a race that is over, whose context has ended, from those
// of its dials that do not heed that.
func (c *crowd) over(r *race) {
	if r.underway == 0 {
		return
	}
	time.AfterFunc(farewell, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for n := len(c.places) - 1; n >= 0; n-- {
			if c.places[n].race == r {
				c.end(n)
				c.next()
			}
		}
	})
}

// leave removes a dial that has ended, and reports whether it had to make room.
func (c *crowd) leave(p *place) (retired bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(p.left)
	switch n := slices.Index(c.places, p); {
	case n >= 0:
		c.places = slices.Delete(c.places, n, n+1)
		c.next()
	case p.ended:
		c.ended--
		c.next()
	}
	return p.retired
}

// next tells who has waited longest that there is room. The caller holds the lock.
func (c *crowd) next() {
	if len(c.waiting) > 0 && c.open() {
		close(c.waiting[0])
		c.waiting = slices.Delete(c.waiting, 0, 1)
	}
}
