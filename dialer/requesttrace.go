package dialer

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/dialer/internal/socket"
)

// requestTrace is what is known of one request and its connections: it ties what net/http tells about
// the request to the connection that was dialled for it and to the one that
// carries it, which need not be the same. It is the context that the request is
// sent with, so that a dial finds it there.
type requestTrace struct {
	context.Context
	trace httptrace.ClientTrace

	meter  *Meter
	alone  bool         // a dial for it is for nobody else, and ends with it
	making *handshakes  // of its Transport, nil if it has none
	traces *atomic.Bool // likewise: its base tells of connections
	waits  atomic.Bool  // waits for a connection, as far as the base tells
	queued atomic.Bool  // waits for its turn to have a connection made
	off    atomic.Bool  // it counts in company
	shook  atomic.Bool  // a TLS handshake was begun for it: work for a server
	begun  atomic.Bool  // the answer has begun
	final  atomic.Bool  // the peer is told to close the connection after it
	way    atomic.Int32 // to the server, see route
	layers atomic.Int32 // the TLS handshakes that have succeeded on it
	dials  atomic.Int32 // made for it, see again
	rested atomic.Int32 // the number of connections after which it has been put off, see rest

	company  *atomic.Int32     // the attempts of its call that have a connection, or one being made; nil if there is no call
	repeats  *atomic.Int32     // the connections in the place of others, of all attempts of its call
	base     http.RoundTripper // of its Transport, nil if it has none
	repeated atomic.Int32      // what repeats counts into where there is no call

	mu      sync.Mutex
	dialled *conn
	carrier *conn
	known   bool      // the base has told which connection carries the request
	at      time.Time // when it did
	socket  net.Conn  // that connection, where no other request shares it
	fresh   int       // connections that it had and no other request before
	served  Served
}

type requestTraceKey struct{}

// Value implements context.Context.
func (r *requestTrace) Value(key any) any {
	if key == (requestTraceKey{}) {
		return r
	}
	return r.Context.Value(key)
}

// follow returns the context that a request is to be sent with to be counted by m.
func (m *Meter) follow(ctx context.Context) *requestTrace {
	u := &requestTrace{meter: m}
	u.repeats = &u.repeated
	u.trace = httptrace.ClientTrace{
		GetConn:           u.asks,
		TLSHandshakeStart: func() { u.handshake(true, false) },
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			if err == nil {
				u.handshake(false, state.NegotiatedProtocol == "h2")
			}
		},
		GotConn:              u.got,
		GotFirstResponseByte: func() { u.begun.Store(true) },
		PutIdleConn: func(err error) {
			if err == nil {
				u.release()
			}
		},
	}
	u.Context = httptrace.WithClientTrace(ctx, &u.trace)
	return u
}

// requestTraceOf returns the trace of the request that a dial was asked for by, nil if there is none.
func requestTraceOf(ctx context.Context) *requestTrace {
	u, _ := ctx.Value(requestTraceKey{}).(*requestTrace)
	return u
}

// asks notes that the request asks for a connection, and puts it off where it has
// had others in vain.
func (r *requestTrace) asks(string) {
	r.waits.Store(true)
	defer r.rest()
	if r.traces != nil && !r.traces.Load() {
		r.traces.Store(true)
	}
}

// goes notes that a connection is made for the request, or that it has one.
func (r *requestTrace) goes() {
	if r.company != nil && r.off.CompareAndSwap(false, true) {
		r.company.Add(1)
	}
}

// failed notes that the request has failed.
func (r *requestTrace) failed() {
	if r.company != nil && r.off.CompareAndSwap(true, false) {
		r.company.Add(-1)
	}
}

// accompanied reports whether another attempt of the call is on its way.
func (r *requestTrace) accompanied() bool { return r.company != nil && r.company.Load() > 0 }

func (r *requestTrace) dial(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialled = c
}

func (r *requestTrace) handshake(begun, http2 bool) {
	if begun {
		r.shook.Store(true)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dialled != nil {
		r.dialled.handshake(begun, http2, !begun && r.layers.Add(1) >= r.handshakes())
	}
}

func (r *requestTrace) got(info httptrace.GotConnInfo) {
	c := countedConn(info.Conn)
	if c == nil {
		c = r.meter.find(info.Conn)
	}
	served := Served{Reused: info.Reused, Idle: info.IdleTime}
	shared := speaksHTTP2(info.Conn)
	if c != nil {
		served.Age = c.taken(r, shared)
	}
	r.goes()
	r.mu.Lock()
	defer r.mu.Unlock()
	if c == nil && r.dialled != nil {
		r.dialled.found() // it may be this one
	}
	r.carrier, r.known, r.served, r.at = c, true, served, time.Now()
	if !info.Reused {
		r.fresh++
	}
	if !shared {
		r.socket = info.Conn
	}
}

// unacknowledged returns how many bytes the kernel holds for the peer of the connection
// that carries the request, 0 where that is not known. It reports false where the
// connection is gone.
func (r *requestTrace) unacknowledged() (bytes int64, ok bool) {
	r.mu.Lock()
	carrier := r.carrier
	r.mu.Unlock()
	if carrier == nil {
		return 0, true
	}
	tcp := tcpConn(carrier.Conn)
	if tcp == nil {
		return 0, true
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	n, _, err := socket.Unacked(raw)
	return int64(n), err == nil
}

// drop closes the connection that has carried the request, so that no other is
// sent on it.
func (r *requestTrace) drop() {
	r.mu.Lock()
	socket := r.socket
	r.mu.Unlock()
	if socket != nil {
		promptly(func() { _ = socket.Close() })
	}
}

func (r *requestTrace) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.carrier != nil {
		r.carrier.released(r)
	}
}

// reused reports whether the request is on a connection that had carried
// others, and whether it is known to be on any.
func (r *requestTrace) reused() (reused, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.served.Reused, r.known
}

// has reports whether the request has a connection.
func (r *requestTrace) has() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known
}

// since returns when the request got its connection, or else what is given.
func (r *requestTrace) since(otherwise time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known {
		return r.at
	}
	return otherwise
}

// answered counts the request as served by the response. Where Trace.Served panics nobody
// gets that, so it is closed.
func (r *requestTrace) answered(attempts int, took time.Duration, response *http.Response) {
	told := false
	defer func() {
		if !told && response.Body != nil {
			quietly(r, func() { _ = response.Body.Close() })
		}
	}()
	r.mu.Lock()
	served, known := r.served, r.known
	r.mu.Unlock()
	served.Attempts, served.Took = attempts, took
	r.meter.serve(served, known)
	told = true
}

func speaksHTTP2(c net.Conn) bool {
	secure, ok := c.(interface{ ConnectionState() tls.ConnectionState })
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}
