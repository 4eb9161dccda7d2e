package dialer

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// mostShaking is how many connections of one Transport to one address may be on their
	// way from the dial to the end of their TLS handshake at once.
	mostShaking = 8
	// mostShort is as many where this process is short of CPU.
	mostShort = 3
)

// handshakes lets the dials of a Transport begin, so that no more than mostShaking
// connections to an address are being made at once. A handshake is the most expensive
// thing that a client asks of a server, and where either is short of CPU more of them at once
// only mean that none is done in time: of a process that is short fewer are made at once.
// Who waits gets a connection that becomes
// idle meanwhile. One that was outrun counts for as long as it goes on: it is as much
// work for the server. One that is taken for dead counts no more: that has been under
// way for long (longer where those that got ready took long), or was overtaken by as many
// as may be made at once: else one dead server of three would soon take all the room.
// The zero value is ready for use; it is safe for concurrent use.
type handshakes struct {
	mu       sync.Mutex
	underway []*shake // the oldest first
	waiting  []*turn
	learned  patience // what connections take to be ready
	long     time.Duration
}

// shake is a connection that is being made.
type shake struct {
	address   string
	overtaken int
}

// turn is the wait of an attempt for its turn.
type turn struct {
	trace   *requestTrace
	address string
	has     chan struct{} // closed when it has come
	shake   *shake        // set by then
}

// begin waits until a connection may be made for the request, in the order in which
// they came. What it returns is to be called when the connection is ready, or closed,
// and told which.
func (h *handshakes) begin(ctx context.Context, u *requestTrace, address string, long time.Duration) (done func(ready bool), err error) {
	h.mu.Lock()
	var made *shake
	h.long = long
	if h.count(address) < h.most() {
		made = h.start(u, address)
		h.mu.Unlock()
	} else {
		next := &turn{trace: u, address: address, has: make(chan struct{})}
		h.waiting = append(h.waiting, next)
		u.queued.Store(true)
		h.mu.Unlock()
		if err := h.wait(ctx, u, next); err != nil {
			return nil, err
		}
		made = next.shake
	}
	start := time.Now()
	timer := time.AfterFunc(max(long, 2*h.learned.expects()), func() { h.leave(made) })
	return func(ready bool) {
		if timer.Stop(); ready {
			h.learned.answered(time.Since(start), long)
			h.overtakes(made)
		}
		h.leave(made)
	}, nil
}

// wait waits for a turn, which is given up where nobody needs it any more.
func (h *handshakes) wait(ctx context.Context, u *requestTrace, next *turn) error {
	defer u.queued.Store(false)
	select {
	case <-next.has:
		if u.Err() == nil && !u.has() {
			return nil
		}
		h.leave(next.shake)
		return context.Canceled
	case <-ctx.Done():
	case <-u.Done():
	}
	h.mu.Lock()
	n := slices.Index(h.waiting, next)
	if n >= 0 {
		h.waiting = slices.Delete(h.waiting, n, n+1)
	}
	h.mu.Unlock()
	if n < 0 { // the turn has come meanwhile
		h.leave(next.shake)
	}
	return context.Canceled
}

// start notes that a connection is being made. The caller holds the lock.
func (h *handshakes) start(u *requestTrace, address string) *shake {
	made := &shake{address: address}
	h.underway = append(h.underway, made)
	u.goes()
	return made
}

// overtakes notes that a connection is ready while older ones are not.
func (h *handshakes) overtakes(made *shake) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := slices.Index(h.underway, made)
	for _, older := range slices.Clone(h.underway[:max(n, 0)]) {
		if older.address != made.address {
			continue
		}
		if older.overtaken++; older.overtaken >= h.most() {
			h.end(older)
		}
	}
}

// leave notes that a connection is no longer being made.
func (h *handshakes) leave(made *shake) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end(made)
}

// end is leave for who holds the lock. The turn is another's.
func (h *handshakes) end(made *shake) {
	n := slices.Index(h.underway, made)
	if n < 0 {
		return
	}
	h.underway = slices.Delete(h.underway, n, n+1)
	for h.count(made.address) < h.most() && h.admit(made.address) {
	}
}

// most returns how many connections to an address may be made at once. The caller holds
// the lock.
func (h *handshakes) most() int {
	if process.short(h.long / 10) {
		return mostShort
	}
	return mostShaking
}

// admit gives the turn to who is next, and reports whether there is one. It is who has
// waited longest for the address, first of those whose calls have nothing else under way,
// for the others may be answered without it. The caller holds the lock.
func (h *handshakes) admit(address string) bool {
	of := func(t *turn) bool { return t.address == address }
	n := slices.IndexFunc(h.waiting, func(t *turn) bool { return of(t) && !t.trace.accompanied() })
	if n < 0 {
		n = slices.IndexFunc(h.waiting, of)
	}
	if n < 0 {
		return false
	}
	next := h.waiting[n]
	h.waiting = slices.Delete(h.waiting, n, n+1)
	next.shake = h.start(next.trace, next.address)
	close(next.has)
	return true
}

// count returns how many connections to an address are being made. The caller holds the
// lock.
func (h *handshakes) count(address string) (n int) {
	for _, made := range h.underway {
		if made.address == address {
			n++
		}
	}
	return n
}

// crowded reports whether half as many are under way as may be, or more.
func (h *handshakes) crowded() bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return 2*len(h.underway) >= h.most()
}
