package dialer

import (
	"context"
	"slices"
	"sync"
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
// room where there is nothing but such dials. A dial that was told to end and does
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
	for {
		c.mu.Lock()
		var leaves *place
		if len(c.places) >= maxUnderway {
			leaves = c.retire(r)
		}
		if c.open() || !patient {
			c.places = append(c.places, joins)
			c.mu.Unlock()
			leaves.await(ctx)
			return joins, nil
		}
		turn := make(chan struct{})
		c.waiting = append(c.waiting, turn)
		c.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
			c.mu.Lock()
			if n := slices.Index(c.waiting, turn); n >= 0 {
				c.waiting = slices.Delete(c.waiting, n, n+1)
			} else {
				c.next() // the turn had come, and is another's now
			}
			c.mu.Unlock()
			return nil, ctx.Err()
		}
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
