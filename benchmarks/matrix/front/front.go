package front

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// Options say where a front stands and what is behind it. All but Tokens must
// be set.
type Options struct {
	// Listen opens the front's listener; it is called again after Refuse.
	Listen func() (net.Listener, error)
	// Certificate is what the front shows, ClientCAs what verifies its clients.
	Certificate tls.Certificate
	ClientCAs   *x509.CertPool
	// Upstream sends requests to the API server at URL, as a user who may
	// impersonate.
	Upstream http.RoundTripper
	URL      *url.URL
	// Tokens are the bearer tokens that are valid at first, each with its user.
	Tokens map[string]string
}

// Fault is what a front does to all that its clients ask. The zero Fault is
// none.
type Fault struct {
	// NoHandshake accepts connections and never answers their TLS handshake.
	NoHandshake bool
	// Late is by how much each part of an answer, also of one that has begun, is
	// late.
	Late time.Duration
	// Answer, where it is not nil, answers every request that arrives from now on.
	Answer Answer
	// NoWindow gives the requests of new HTTP/2 connections a flow-control window
	// of zero, for good.
	NoWindow bool
}

// An Answer answers one request in a way of its own. pass has it answered by the
// API server; over is closed when the fault ends, and what is still under way
// then goes on as if there had been none.
type Answer func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc, over <-chan struct{})

// Front is what New returns. All its methods are safe for concurrent use.
type Front struct {
	options Options
	server  *http.Server
	conns   conns
	serving sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while connections are refused
	fault    Fault
	over     chan struct{} // closed when the fault ends
	tokens   map[string]string
	traps    map[netip.Addr]*Trap
	err      error // why serving ended, if not by Refuse or Close
}

// New returns a front that serves until Close.
func New(o Options) (*Front, error) {
	f := &Front{options: o, tokens: o.Tokens, traps: map[netip.Addr]*Trap{}, over: make(chan struct{})}
	f.server = &http.Server{
		Handler: f,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{o.Certificate},
			ClientAuth:   tls.VerifyClientCertIfGiven, ClientCAs: o.ClientCAs,
			MinVersion: tls.VersionTLS12,
		},
		ConnContext: withSocket,
		// Handshakes that faults have broken off are no news.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	if err := f.speakHTTP2(); err != nil {
		return nil, err
	}
	return f, f.Accept()
}

// Set makes the front do this from now on, and nothing that an earlier Set has
// asked for. Connections whose handshake was left unanswered end when
// NoHandshake does.
func (f *Front) Set(t Fault) {
	f.mu.Lock()
	f.fault = t
	close(f.over)
	f.over = make(chan struct{})
	f.mu.Unlock()
	if !t.NoHandshake {
		f.conns.releaseHeld()
	}
}

// SetTokens replaces the bearer tokens that are valid.
func (f *Front) SetTokens(tokens map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = tokens
}

// HangUp ends every connection: by a reset, or in good order by FIN.
func (f *Front) HangUp(reset bool) { f.conns.closeAll(reset) }

// Refuse closes the listener, so that new connections are refused by the
// kernel, until Accept.
func (f *Front) Refuse() error {
	f.mu.Lock()
	l := f.listener
	f.listener = nil
	f.mu.Unlock()
	if l == nil {
		return nil
	}
	if err := l.Close(); err != nil {
		return fmt.Errorf("front: refuse connections: %w", err)
	}
	return nil
}

// Accept ends Refuse. On a front that accepts it does nothing.
func (f *Front) Accept() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listener != nil {
		return nil
	}
	l, err := f.options.Listen()
	if err != nil {
		return fmt.Errorf("front: listen: %w", err)
	}
	f.listener = l
	f.serving.Go(func() {
		err := f.server.ServeTLS(&listener{Listener: l, front: f}, "", "")
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.listener == l && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			f.err = fmt.Errorf("front: serve: %w", err)
		}
	})
	return nil
}

// Mend undoes all that was done to the front, and clears its traps.
func (f *Front) Mend() error {
	f.Set(Fault{})
	f.mu.Lock()
	clear(f.traps)
	f.mu.Unlock()
	return f.Accept()
}

// Close ends the front and all its connections. It returns why it had ended
// before, if it had.
func (f *Front) Close() error {
	err := f.Refuse()
	f.Set(Fault{}) // nobody waits for the end of what there is
	// The server closes the listener again if it has not noticed yet.
	if closed := f.server.Close(); !errors.Is(closed, net.ErrClosed) {
		err = errors.Join(err, closed)
	}
	f.conns.closeAll(true)
	f.serving.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(err, f.err)
}

func (f *Front) now() Fault {
	t, _ := f.nowUntil()
	return t
}

// nowUntil returns the fault there is, and what is closed when it ends.
func (f *Front) nowUntil() (Fault, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault, f.over
}

// sleep waits for d or until ctx ends, and reports whether it waited out.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
