package locktest

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// Extent says which requests a fault happens to.
type Extent string

const (
	// Once is the next request.
	Once Extent = "once"
	// Old is every request on a connection that was there before.
	Old Extent = "old-connections"
	// Everyone is every request.
	Everyone Extent = "everyone"
)

// stage is a server with a fault in front of it.
type stage struct {
	t          *testing.T
	config     *rest.Config
	observer   *rest.Config // leads past the fault
	server     *httptest.Server
	of         Fault
	begin, end func() // the fault, where it is on the way

	mu      sync.Mutex
	struck  bool // the fault has begun, and not ended
	extent  Extent
	since   time.Time
	thaw    chan struct{} // closed when what stands still goes on; nil if nothing does
	renewed time.Time     // when the Lease was written last
}

// newStage prepares a stage for the fault.
func newStage(t *testing.T, of Fault) *stage {
	t.Helper()
	s := &stage{t: t, of: of}
	endpoint, err := leaseapi.NewStore(leaseapi.Options{OnCommit: func(c leaseapi.Commit) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.renewed = c.Time
	}}).Serve("a")
	require.NoError(t, err)
	target, err := url.Parse(endpoint.Config().Host)
	require.NoError(t, err)
	tlsConfig, err := rest.TLSConfigFor(endpoint.Config())
	require.NoError(t, err)
	behind := &http.Transport{TLSClientConfig: tlsConfig, MaxIdleConnsPerHost: 16}
	quiet := log.New(io.Discard, "", 0)
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     behind,
		FlushInterval: -1,
		ErrorLog:      quiet,
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.hits(r) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the end of the client is noticed
			s.of.serve(w, r, proxy.ServeHTTP)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	server.Listener = listener{server.Listener, s}
	server.Config.ErrorLog = quiet
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if secure, ok := c.(*tls.Conn); ok {
			c = secure.NetConn()
		}
		return context.WithValue(ctx, connKey{}, c)
	}
	server.EnableHTTP2 = true
	server.StartTLS()
	s.server = server
	t.Cleanup(func() {
		s.mend()
		server.CloseClientConnections()
		server.Close()
		behind.CloseIdleConnections()
		require.NoError(t, endpoint.Close())
	})
	s.observer = endpoint.Config()
	s.config = &rest.Config{
		Host: server.URL, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})},
	}
	if of.way != nil {
		s.begin, s.end = of.way(s)
	}
	return s
}

// strike begins the fault.
func (s *stage) strike(extent Extent) {
	s.mu.Lock()
	s.struck, s.extent, s.since = true, extent, time.Now()
	s.mu.Unlock()
	if s.begin != nil {
		s.begin()
	}
}

// mend ends it.
func (s *stage) mend() {
	s.mu.Lock()
	struck := s.struck
	s.struck = false
	s.mu.Unlock()
	if struck && s.end != nil {
		s.end()
	}
}

// hits reports whether the fault happens to a request.
func (s *stage) hits(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.of.serve == nil, !s.struck, s.extent == Old && !connOf(r).since.Before(s.since):
		return false
	case s.extent == Once:
		s.struck = false
	}
	return true
}

// freeze has the server stand still until thaw is closed, which it is when freeze is
// called again.
func (s *stage) freeze(thaw chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.thaw != nil {
		close(s.thaw)
	}
	s.thaw = thaw
}

// frozen returns what is closed when the connection goes on, nil if it does not
// stand still.
func (s *stage) frozen(c *accepted) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extent == Old && !c.since.Before(s.since) {
		return nil
	}
	return s.thaw
}

// lastWrite returns when the Lease was written last.
func (s *stage) lastWrite() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewed
}

type connKey struct{}

func connOf(r *http.Request) *accepted {
	c, _ := r.Context().Value(connKey{}).(*accepted)
	return c
}

type listener struct {
	net.Listener
	stage *stage
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &accepted{Conn: c, stage: l.stage, since: time.Now()}, nil
}

// accepted is a connection of the server.
type accepted struct {
	net.Conn
	stage *stage
	since time.Time
}

// Read implements net.Conn.
func (c *accepted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.stand()
	return n, err
}

// Write implements net.Conn.
func (c *accepted) Write(b []byte) (int, error) {
	c.stand()
	return c.Conn.Write(b)
}

// stand waits as long as the server stands still.
func (c *accepted) stand() {
	if thaw := c.stage.frozen(c); thaw != nil {
		<-thaw
	}
}

// reset ends the connection by an RST.
func (c *accepted) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
