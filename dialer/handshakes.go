package dialer

import (
	"context"
	"slices"
	"sync"
	"time"
)

// mostShaking is how many connections of one Transport may be on their way from the
// dial to the end of their TLS handshake at once.
const mostShaking = 8

// handshakes lets the dials of a Transport begin, so that no more than mostShaking
// connections are being made at once. A handshake is the most expensive thing that a
// client asks of a server, and where either is short of CPU more of them at once
// only mean that none is done in time. Who waits gets a connection that becomes
// idle meanwhile. One that has been under way for long is taken for dead and counts
// no more. The zero value is ready for use; it is safe for concurrent use.
type handshakes struct {
	mu       sync.Mutex
	underway int
	waiting  []chan struct{}
}

// begin waits until a connection may be made for the request, in the order in which
// they came. What it returns is to be called when the connection is ready, or closed;
// it is called by itself after long.
func (h *handshakes) begin(ctx context.Context, u *use, long time.Duration) (done func(), err error) {
	h.mu.Lock()
	if h.underway >= mostShaking {
		turn := make(chan struct{})
		h.waiting = append(h.waiting, turn)
		h.mu.Unlock()
		if err := h.wait(ctx, u, turn); err != nil {
			return nil, err
		}
	} else {
		h.underway++
		h.mu.Unlock()
	}
	leave := sync.OnceFunc(h.leave)
	timer := time.AfterFunc(long, leave)
	return func() { timer.Stop(); leave() }, nil
}

// wait waits for a turn, which is given up where nobody needs it any more.
func (h *handshakes) wait(ctx context.Context, u *use, turn chan struct{}) error {
	select {
	case <-turn:
		if u.Err() == nil && !u.has() {
			return nil
		}
		h.leave()
		return context.Canceled
	case <-ctx.Done():
	case <-u.Done():
	}
	h.mu.Lock()
	n := slices.Index(h.waiting, turn)
	if n >= 0 {
		h.waiting = slices.Delete(h.waiting, n, n+1)
	}
	h.mu.Unlock()
	if n < 0 { // the turn has come meanwhile
		h.leave()
	}
	return context.Canceled
}

// leave gives the turn to who has waited longest.
func (h *handshakes) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		h.underway--
		return
	}
	close(h.waiting[0])
	h.waiting = slices.Delete(h.waiting, 0, 1)
}

// crowded reports whether so many are under way that there is not much room left.
func (h *handshakes) crowded() bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.underway >= mostShaking/2
}
