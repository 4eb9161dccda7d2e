package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection that a Meter counts. It reads and writes what the
// connection within does, and remembers what it takes to say, when it is
// closed, why. The connection within is reached through NetConn.
type conn struct {
	net.Conn
	meter   *Meter
	opened  time.Time
	sibling bool
	lost    *atomic.Int64 // see closing.lost, in nanoseconds; nil where nothing pings
	local   net.Addr      // what identifies the connection, see identity

	mu          sync.Mutex
	waits       *wait // for its first request, nil if it need not
	late        error // the wait was too long: what every read and write returns
	won         bool
	closed      bool
	handshaking bool
	http2       bool
	farewell    bool  // we have said goodbye: what the peer says to that is no reason
	failure     error // the first thing that ended the connection from outside
	heard       time.Time
	user        *requestTrace // of HTTP/1.1: the request that is on the connection
}

// halfCloser is a conn whose inner connection can close its sending side.
type halfCloser struct{ *conn }

// CloseWrite closes the sending side.
func (c halfCloser) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// wrap returns what to hand out in place of the inner connection.
func (c *conn) wrap() net.Conn {
	if _, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return halfCloser{c}
	}
	return c
}

func (c *conn) counted() *conn { return c }

// NetConn returns the connection within, as tls.Conn does.
func (c *conn) NetConn() net.Conn { return c.Conn }

// LocalAddr returns the local address of the connection within, always the same
// value, by which the connection is found below wrappers that hide it.
func (c *conn) LocalAddr() net.Addr { return c.local }

// Read reads from the connection within.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.late != nil {
		return n, c.late
	}
	if n > 0 {
		c.heard = time.Now()
		if c.waits != nil && c.waits.word {
			c.settle(true)
		}
		if errors.Is(c.failure, io.EOF) {
			c.failure = nil // it was no alert, the peer goes on
		}
		if alert(b[:n]) {
			c.fail(io.EOF)
		}
	}
	if err != nil && len(b) > 0 {
		c.fail(err)
	}
	return n, err
}

// Write writes to the connection within.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.farewell = alert(b)
	c.mu.Unlock()
	n, err := c.Conn.Write(b)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.late != nil {
			return n, c.late
		}
		c.fail(err)
	}
	return n, err
}

// fail notes the first failure. Deadlines are the user's, and a connection
// outlives them, and what fails because we have closed it has not failed. The
// caller holds the lock.
func (c *conn) fail(err error) {
	ours := errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrDeadlineExceeded)
	if c.failure == nil && !ours && !c.farewell && !c.closed {
		c.failure = err
	}
}

// Close closes the connection within and, the first time, counts that.
func (c *conn) Close() error {
	now := time.Now()
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.settle(false)
	reason, failure := c.closing(now).reason(), c.failure
	c.mu.Unlock()
	if !first {
		return c.Conn.Close()
	}
	c.meter.forget(c, reason)
	err := c.Conn.Close()
	if hook := c.meter.Trace.Closed; hook != nil {
		// Who closes is mostly net/http, in a goroutine of its own.
		quietly(context.Background(), func() { hook(reason, now.Sub(c.opened), c.RemoteAddr(), failure) })
	}
	return err
}

func (c *conn) closing(now time.Time) closing {
	k := closing{
		won: c.won, handshaking: c.handshaking || c.late != nil, failure: c.failure,
		silent: now.Sub(c.heard),
	}
	if c.http2 && c.lost != nil {
		k.lost = time.Duration(c.lost.Load())
	}
	if c.user != nil {
		k.carries, k.begun, k.cause = true, c.user.begun.Load(), context.Cause(c.user)
		k.final = c.user.final.Load()
	}
	return k
}

// taken notes that a request is on the connection, and returns the
// connection's age. HTTP/2 carries many, none of which closes it.
func (c *conn) taken(by *requestTrace, http2 bool) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle(true)
	c.handshaking = false
	c.http2 = c.http2 || http2
	if !c.http2 {
		c.user = by
	}
	return time.Since(c.opened)
}

// released notes that the request has been answered and has left.
func (c *conn) released(by *requestTrace) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user == by {
		c.user = nil
	}
}

// handshake notes that a TLS handshake has begun or has succeeded. last says that
// nothing is left to agree on.
func (c *conn) handshake(begun, http2, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handshaking = begun
	c.http2 = http2
	if last {
		c.settle(true)
	}
}

// countedConn finds the counted connection below wrappers that give way to it.
func countedConn(c net.Conn) *conn {
	for range maxChain {
		switch link := c.(type) {
		case interface{ counted() *conn }:
			return link.counted()
		case interface{ NetConn() net.Conn }:
			c = link.NetConn()
		default:
			return nil
		}
	}
	return nil
}
