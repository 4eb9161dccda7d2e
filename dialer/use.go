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

// use is one request's use of connections: it ties what net/http tells about
// the request to the connection that was dialled for it and to the one that
// carries it, which need not be the same. It is the context that the request is
// sent with, so that a dial finds it there.
type use struct {
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

type useKey struct{}

// Value implements context.Context.
func (u *use) Value(key any) any {
	if key == (useKey{}) {
		return u
	}
	return u.Context.Value(key)
}

// follow returns the context that a request is to be sent with to be counted by m.
func (m *Meter) follow(ctx context.Context) *use {
	u := &use{meter: m}
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

// useOf returns the use that a dial was asked for by, nil if there is none.
func useOf(ctx context.Context) *use {
	u, _ := ctx.Value(useKey{}).(*use)
	return u
}

// asks notes that the request asks for a connection, and puts it off where it has
// had others in vain.
func (u *use) asks(string) {
	u.waits.Store(true)
	defer u.rest()
	if u.traces != nil && !u.traces.Load() {
		u.traces.Store(true)
	}
}

// goes notes that a connection is made for the request, or that it has one.
func (u *use) goes() {
	if u.company != nil && u.off.CompareAndSwap(false, true) {
		u.company.Add(1)
	}
}

// failed notes that the request has failed.
func (u *use) failed() {
	if u.company != nil && u.off.CompareAndSwap(true, false) {
		u.company.Add(-1)
	}
}

// accompanied reports whether another attempt of the call is on its way.
func (u *use) accompanied() bool { return u.company != nil && u.company.Load() > 0 }

func (u *use) dial(c *conn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.dialled = c
}

func (u *use) handshake(begun, http2 bool) {
	if begun {
		u.shook.Store(true)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.dialled != nil {
		u.dialled.handshake(begun, http2, !begun && u.layers.Add(1) >= u.handshakes())
	}
}

func (u *use) got(info httptrace.GotConnInfo) {
	c := countedConn(info.Conn)
	if c == nil {
		c = u.meter.find(info.Conn)
	}
	served := Served{Reused: info.Reused, Idle: info.IdleTime}
	shared := speaksHTTP2(info.Conn)
	if c != nil {
		served.Age = c.taken(u, shared)
	}
	u.goes()
	u.mu.Lock()
	defer u.mu.Unlock()
	if c == nil && u.dialled != nil {
		u.dialled.found() // it may be this one
	}
	u.carrier, u.known, u.served, u.at = c, true, served, time.Now()
	if !info.Reused {
		u.fresh++
	}
	if !shared {
		u.socket = info.Conn
	}
}

// unacknowledged returns how many bytes the kernel holds for the peer of the connection
// that carries the request, 0 where that is not known. It reports false where the
// connection is gone.
func (u *use) unacknowledged() (bytes int64, ok bool) {
	u.mu.Lock()
	carrier := u.carrier
	u.mu.Unlock()
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
func (u *use) drop() {
	u.mu.Lock()
	socket := u.socket
	u.mu.Unlock()
	if socket != nil {
		_ = socket.Close()
	}
}

func (u *use) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.carrier != nil {
		u.carrier.released(u)
	}
}

// reused reports whether the request is on a connection that had carried
// others, and whether it is known to be on any.
func (u *use) reused() (reused, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.served.Reused, u.known
}

// has reports whether the request has a connection.
func (u *use) has() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.known
}

// since returns when the request got its connection, or else what is given.
func (u *use) since(otherwise time.Time) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known {
		return u.at
	}
	return otherwise
}

// answered counts the request as served.
func (u *use) answered(attempts int, took time.Duration) {
	u.mu.Lock()
	served, known := u.served, u.known
	u.mu.Unlock()
	served.Attempts, served.Took = attempts, took
	u.meter.serve(served, known)
}

func speaksHTTP2(c net.Conn) bool {
	secure, ok := c.(interface{ ConnectionState() tls.ConnectionState })
	return ok && secure.ConnectionState().NegotiatedProtocol == "h2"
}
