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
	config   *rest.Config
	observer *rest.Config // leads past the fault

	mu      sync.Mutex
	fault   *Fault
	extent  Extent
	since   time.Time
	renewed time.Time // when the Lease was written last
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
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
		if fault := s.hits(r); fault != nil {
			_, _ = io.Copy(io.Discard, r.Body) // only then the end of the client is noticed
			fault.serve(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	server.Listener = listener{server.Listener}
	server.Config.ErrorLog = quiet
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if secure, ok := c.(*tls.Conn); ok {
			c = secure.NetConn()
		}
		return context.WithValue(ctx, connKey{}, c)
	}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(func() {
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
	return s
}

// strike begins a fault.
func (s *stage) strike(f Fault, extent Extent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.extent, s.since = &f, extent, time.Now()
}

// mend ends it.
func (s *stage) mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = nil
}

// hits returns what happens to a request, nil for nothing.
func (s *stage) hits(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := s.fault
	switch {
	case fault == nil, s.extent == Old && !connOf(r).since.Before(s.since):
		return nil
	case s.extent == Once:
		s.fault = nil
	}
	return fault
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

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &accepted{Conn: c, since: time.Now()}, nil
}
