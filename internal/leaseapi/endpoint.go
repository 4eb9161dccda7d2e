package leaseapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// Endpoint is one server on a Store, on a TCP port of its own on loopback. All
// Endpoints of a Store see the same Leases at the same time.
//
// Its faults work on the connections that reach it through a Relay; Config goes
// around them, which is what an observer wants. It is safe for concurrent use.
type Endpoint struct {
	name    string
	address string
	config  *rest.Config
	server  *http.Server
	served  chan struct{}
	line    *line
	drop    atomic.Int64

	mu       sync.Mutex
	closed   bool
	handlers sync.WaitGroup // grows only while mu is held and closed is false
}

// Serve starts an Endpoint of the Store under a name that stands in Commits.
// Close ends it.
func (s *Store) Serve(name string) (*Endpoint, error) {
	certificate, err := s.sign(name)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for endpoint %q on loopback: %w", name, err)
	}
	e := &Endpoint{
		name:    name,
		address: listener.Addr().String(),
		config:  configFor(listener.Addr(), s.caPEM),
		served:  make(chan struct{}),
		line:    newLine(),
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	api := &handler{store: s, endpoint: e}
	e.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if e.begin() {
				defer e.handlers.Done()
				api.ServeHTTP(w, r)
			}
		}),
		TLSConfig:   &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		Protocols:   protocols,
		ConnContext: withConn,
		ConnState:   s.options.ConnState,
		// A client that hangs up during a handshake is no news here.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		defer close(e.served)
		_ = e.server.ServeTLS(muteListener{listener}, "", "")
	}()
	return e, nil
}

// Handler serves the Store as an Endpoint of that name does, without a network:
// for tests in virtual time, where a socket would stop the clock.
func (s *Store) Handler(name string) http.Handler {
	return &handler{store: s, endpoint: &Endpoint{name: name}}
}

// Name is the name given to Serve.
func (e *Endpoint) Name() string { return e.name }

// Config returns a configuration for clients that connect straight to this
// Endpoint, past every Relay and every fault. Each call returns a new copy.
func (e *Endpoint) Config() *rest.Config { return rest.CopyConfig(e.config) }

// Close ends the Endpoint and all its connections, as when its process is
// killed. It returns when its goroutines have ended.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	err := e.server.Close()
	<-e.served
	e.handlers.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("closing endpoint %q: %w", e.name, err)
	}
	return nil
}

// begin counts one more running handler, unless the Endpoint is closed.
func (e *Endpoint) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false
	}
	e.handlers.Add(1)
	return true
}

// Silence stops every byte in both directions. Connections stay open and hear
// nothing more. New connections are accepted, since on loopback the kernel does
// that and a SYN cannot be swallowed without privileges, and get no answer:
// what a network would lose in the TCP handshake is lost in the TLS handshake
// here. Bytes already written to a socket still arrive.
func (e *Endpoint) Silence() {
	e.line.requests.shut()
	e.line.answers.shut()
}

// Freeze stops what goes to the Endpoint, as when its process is stopped:
// nothing is read any more, answers that had already been sent still arrive.
func (e *Endpoint) Freeze() { e.line.requests.shut() }

// DelayAnswers holds back every byte from the Endpoint for d. Zero ends it.
func (e *Endpoint) DelayAnswers(d time.Duration) { e.line.delay.Store(int64(d)) }

// DropAnswers makes the next n writes commit and their answers never leave: at
// the commit, the connection that the write came on falls mute for good, though
// it stays open. Over HTTP/2 that takes every other request on it along.
func (e *Endpoint) DropAnswers(n int) { e.drop.Store(int64(n)) }

// Mend ends Silence, Freeze, DelayAnswers and DropAnswers. As TCP would, the
// connections that were held up deliver now what they could not deliver before.
func (e *Endpoint) Mend() {
	e.drop.Store(0)
	e.line.mend()
}

// takeDrop reports whether the answer to the write just committed is to be lost.
func (e *Endpoint) takeDrop() bool {
	for {
		n := e.drop.Load()
		if n <= 0 {
			return false
		}
		if e.drop.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

func configFor(address net.Addr, ca []byte) *rest.Config {
	return &rest.Config{
		Host:            "https://" + address.String(),
		TLSClientConfig: rest.TLSClientConfig{CAData: ca},
	}
}

// muteListener hands out connections that can fall mute.
type muteListener struct{ net.Listener }

func (l muteListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &muteConn{Conn: conn}, nil
}

// muteConn is a connection that may stop sending while it pretends to.
type muteConn struct {
	net.Conn
	mute atomic.Bool
}

func (c *muteConn) Write(p []byte) (int, error) {
	if c.mute.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

type connKey struct{}

// withConn remembers the connection under TLS, which a handler needs to lose
// its own answer.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return context.WithValue(ctx, connKey{}, conn)
}

func muteConnOf(ctx context.Context) {
	if conn, ok := ctx.Value(connKey{}).(*muteConn); ok {
		conn.mute.Store(true)
	}
}
