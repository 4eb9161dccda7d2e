package dialer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// refusalsInARow is how many dials in a row must be refused for an address to be asked
// by one dial at a time.
const refusalsInARow = 3

// refusers knows the addresses at which a Dialer is refused (ECONNREFUSED) again and
// again. Such an address is asked by one dial at a time, at a pace, once for each of
// its targets; whoever comes meanwhile learns what that one has learned. So many
// callers cause no more dials than one does. The zero value is useful; it is safe for
// concurrent use.
type refusers struct {
	mu sync.Mutex
	of map[string]*refuser
}

// refuser is what is known of such an address.
type refuser struct {
	inARow int
	err    error         // of the last
	last   time.Time     // when that was
	asked  chan struct{} // closed when the dial that asks has ended; nil while there is none
}

// enter returns nil if a dial may begin, and reports whether it asks for the others.
// An error is what the dial that has asked was told, or that ctx has ended.
func (r *refusers) enter(ctx context.Context, address string, pace time.Duration) (asks bool, err error) {
	waited := false
	for {
		r.mu.Lock()
		known := r.of[address]
		switch {
		case known == nil || known.inARow < refusalsInARow:
			r.mu.Unlock()
			return false, nil
		case known.asked == nil && time.Since(known.last) >= pace:
			known.asked = make(chan struct{})
			r.mu.Unlock()
			return true, nil
		case waited:
			err := fmt.Errorf("another dial has just been refused, %d in a row: %w", known.inARow, known.err)
			r.mu.Unlock()
			return false, err
		}
		asked, rest := known.asked, pace-time.Since(known.last)
		if asked != nil {
			rest = pace
		}
		r.mu.Unlock()
		timer := time.NewTimer(rest)
		select {
		case <-asked: // a nil channel never tells
			waited = true
		case <-timer.C:
			if asked != nil { // it is not refused at once, at least
				return false, nil
			}
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		}
		timer.Stop()
	}
}

// leave notes what a dial has come to.
func (r *refusers) leave(address string, asks bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.of[address]
	if asks && known != nil && known.asked != nil {
		close(known.asked)
		known.asked = nil
	}
	switch {
	case errors.Is(err, context.Canceled): // it tells nothing
	case !errors.Is(err, connectionRefused):
		delete(r.of, address)
	default:
		if known == nil {
			if r.of == nil || len(r.of) > maxHistory {
				r.of = map[string]*refuser{}
			}
			known = new(refuser)
			r.of[address] = known
		}
		known.inARow++
		known.err, known.last = err, time.Now()
	}
}
