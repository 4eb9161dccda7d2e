package dialer

import (
	"context"
	"errors"
	"os"
	"time"
)

// wait is a connection's wait for its first request: while it agrees with proxies
// and with the server on how to go on, nothing else may bound it. net/http has no
// bound for a SOCKS proxy, a minute for an HTTP proxy, and goes on with both when
// the request that wanted the connection has been cancelled.
type wait struct {
	timer *time.Timer
	stop  func() bool // of the watch over the request
	made  func(bool)  // tells the handshakes under way whether it got ready
	word  bool        // ends with the first word of the peer
}

// await closes the connection unless it is ready for requests, or one has it,
// within bound from its dial's start. An attempt that was given up or has failed
// takes it along at once; one that was outrun does not, for the server may be
// well and the next request can use what it has begun. Where many handshakes are
// under way none is taken along: what a server that is short of CPU has begun would be
// lost, and begun again.
func (c *conn) await(bound time.Duration, start time.Time, op string, u *requestTrace, made func(ready bool)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		made(false)
		return
	}
	end := func(why error) {
		c.expire(&Error{Op: op + " and be ready for requests", Tries: 1, Elapsed: time.Since(start), Bound: bound, Err: why})
	}
	// Who dials without a request of ours, or behind a round tripper that gives it
	// another context, tells nothing of the connection's use.
	w := &wait{stop: func() bool { return true }, made: made, word: u == nil}
	w.timer = time.AfterFunc(bound-time.Since(start), func() { end(os.ErrDeadlineExceeded) })
	if u != nil && u.alone {
		w.stop = context.AfterFunc(u, func() {
			cause := context.Cause(u)
			if errors.Is(cause, error(endedOutrun)) || errors.Is(cause, error(endedWell)) || u.making.crowded() {
				return
			}
			end(u.Err())
		})
	}
	c.waits = w
}

// expire ends a wait that was in vain.
func (c *conn) expire(why error) {
	c.mu.Lock()
	if c.waits == nil {
		c.mu.Unlock()
		return
	}
	c.settle(false)
	c.late = why
	c.mu.Unlock()
	// Whoever reads or writes learns why, and closes the rest.
	quietly(context.Background(), func() { _ = c.Conn.Close() })
}

// settle ends the wait, with a connection that is ready or not. The caller holds the
// lock.
func (c *conn) settle(ready bool) {
	if c.waits != nil {
		c.waits.timer.Stop()
		c.waits.stop()
		c.waits.made(ready)
		c.waits = nil
	}
}

// found is settle for a connection that a request may have.
func (c *conn) found() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle(true)
}
