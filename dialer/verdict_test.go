package dialer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

var errPolicy = errors.New("not by our policy")

// What another attempt cannot change is returned at once: after one attempt, or
// after three where another server might answer otherwise.
func TestWhatAnotherAttemptCannotChangeIsReturnedAtOnce(t *testing.T) {
	refusing := func(when func(*http.Request, http.RoundTripper) error) func(*testing.T, *Transport) {
		return func(_ *testing.T, rt *Transport) {
			next := rt.Base
			rt.Base = roundTripFunc(func(request *http.Request) (*http.Response, error) { return nil, when(request, next) })
		}
	}
	for name, c := range map[string]struct {
		server   func(*httptest.Server)
		prepare  func(*testing.T, *Transport)
		request  func(*http.Request)
		want     string
		attempts int
	}{
		"a client certificate is missing, TLS 1.3": {
			server: func(s *httptest.Server) { s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert} },
			want:   "certificate required", attempts: 1 + atOnce,
		},
		"a client certificate is missing, TLS 1.2": {
			server: func(s *httptest.Server) {
				s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, MaxVersion: tls.VersionTLS12}
			},
			want: "remote error: tls:", attempts: 1 + atOnce,
		},
		"no version of TLS in common": {
			server:  func(s *httptest.Server) { s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12} },
			prepare: func(_ *testing.T, rt *Transport) { sockets(rt.Base).TLSClientConfig.MinVersion = tls.VersionTLS13 },
			want:    "protocol version", attempts: 1 + atOnce,
		},
		"the server's certificate is not trusted": {
			prepare: func(_ *testing.T, rt *Transport) { sockets(rt.Base).TLSClientConfig.RootCAs = nil },
			want:    "certificate", attempts: 1 + atOnce,
		},
		"the client's certificate cannot be read": {
			server: func(s *httptest.Server) { s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert} },
			prepare: func(t *testing.T, rt *Transport) {
				sockets(rt.Base).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					pair, err := tls.LoadX509KeyPair(t.TempDir()+"/cert", t.TempDir()+"/key")
					return &pair, err
				}
			},
			want: "no such file", attempts: 1 + atOnce,
		},
		"a header that cannot be sent": {request: func(r *http.Request) { r.Header.Set("X", "line\nbreak") }, want: "invalid header", attempts: 1},
		"a header's name":              {request: func(r *http.Request) { r.Header["no name"] = []string{"x"} }, want: "invalid header", attempts: 1},
		"a method that is none":        {request: func(r *http.Request) { r.Method = "no method" }, want: "invalid method", attempts: 1},
		"a scheme that is unknown":     {request: func(r *http.Request) { r.URL.Scheme = "gopher" }, want: "unsupported protocol", attempts: 1},
		"a body that fails": {request: func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), failing{}))
			r.GetBody = func() (io.ReadCloser, error) { return r.Body, nil }
			r.ContentLength = -1
		}, want: errPolicy.Error(), attempts: 1},
		"a round tripper that refuses": {
			prepare: refusing(func(*http.Request, http.RoundTripper) error { return errPolicy }), want: errPolicy.Error(), attempts: 1,
		},
		"a round tripper that refuses the answer": {
			prepare: refusing(func(request *http.Request, next http.RoundTripper) error {
				response, err := next.RoundTrip(request)
				if err != nil {
					return err
				}
				_ = response.Body.Close()
				return errPolicy
			}), want: errPolicy.Error(), attempts: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.server == nil {
				c.server = func(*httptest.Server) {}
			}
			server, _ := newServer(t, false, hello, c.server)
			client := newClient(t, server, Budget{Answer: 20 * time.Second, Hedge: -1})
			rt := client.Transport.(*Transport)
			rt.Base = rt.WrappedRoundTripper()
			if c.prepare != nil {
				c.prepare(t, rt)
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, nil)
			require.NoError(t, err)
			if c.request != nil {
				c.request(request)
			}
			start := time.Now()
			_, err = rt.RoundTrip(request)
			require.ErrorContains(t, err, c.want)
			assert.Less(t, time.Since(start), 10*time.Second)
			var failure *Error
			require.ErrorAs(t, err, &failure)
			// An alert may be lost in the reset that follows it. Then there is one more.
			assert.InDelta(t, c.attempts, failure.Tries, float64(c.attempts-1)/2)
		})
	}
}

// Package net, net/url and net/http wrap any error in types that are net.Errors. What
// is within says whether the network has failed.
func TestARefusalInTheGuiseOfTheNetworkIsReturnedAtOnce(t *testing.T) {
	socks := func(answers ...[]byte) func(*testing.T) (*rest.Config, *atomic.Int32) {
		return func(t *testing.T) (*rest.Config, *atomic.Int32) {
			var asked atomic.Int32
			proxy := newPeer(t, func(conn net.Conn) {
				asked.Add(1)
				for _, answer := range answers {
					_, _ = conn.Read(make([]byte, 256))
					_, _ = conn.Write(answer)
				}
				_, _ = conn.Read(make([]byte, 256))
			})
			return &rest.Config{Proxy: http.ProxyURL(&url.URL{Scheme: "socks5", Host: proxy})}, &asked
		}
	}
	dial := func(conn net.Conn, err error) func(*testing.T) (*rest.Config, *atomic.Int32) {
		return func(*testing.T) (*rest.Config, *atomic.Int32) {
			var asked atomic.Int32
			return &rest.Config{Dial: func(context.Context, string, string) (net.Conn, error) {
				asked.Add(1)
				return conn, err
			}}, &asked
		}
	}
	for name, c := range map[string]struct {
		config func(*testing.T) (*rest.Config, *atomic.Int32)
		want   string
		asked  int // how often what refuses is asked
	}{
		"SOCKS, no credentials": {config: socks([]byte{5, 0xff}), want: "no acceptable authentication", asked: 1 + atOnce},
		"SOCKS, a rule":         {config: socks([]byte{5, 0}, []byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0}), want: "not allowed by ruleset", asked: 1 + atOnce},
		"a Proxy function": {config: func(*testing.T) (*rest.Config, *atomic.Int32) {
			var asked atomic.Int32
			return &rest.Config{Proxy: func(*http.Request) (*url.URL, error) {
				asked.Add(1)
				return nil, &url.Error{Op: "parse", URL: "x", Err: errPolicy}
			}}, &asked
		}, want: errPolicy.Error(), asked: 1},
		"a round tripper": {config: func(*testing.T) (*rest.Config, *atomic.Int32) {
			var asked atomic.Int32
			return &rest.Config{WrapTransport: func(http.RoundTripper) http.RoundTripper {
				return roundTripFunc(func(*http.Request) (*http.Response, error) {
					asked.Add(1)
					return nil, &url.Error{Op: "Post", URL: "x", Err: errPolicy}
				})
			}}, &asked
		}, want: errPolicy.Error(), asked: 1},
		"headers beyond the limit": {config: func(t *testing.T) (*rest.Config, *atomic.Int32) {
			var asked atomic.Int32
			server, _ := newServer(t, false, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Header().Set("X", strings.Repeat("x", 1<<20))
			})
			certain := server.Client().Transport.(*http.Transport).Clone()
			certain.MaxResponseHeaderBytes = 1 << 10
			return &rest.Config{Host: server.URL, Transport: certain}, &asked
		}, want: "headers exceeded", asked: 1},
		"a Dial's plain error":     {config: dial(nil, errPolicy), want: errPolicy.Error(), asked: 1},
		"a Dial's wrapped error":   {config: dial(nil, &net.OpError{Op: "dial", Net: "tcp", Err: errPolicy}), want: errPolicy.Error(), asked: 1},
		"a Dial without an answer": {config: dial((*net.TCPConn)(nil), nil), want: "neither a connection nor an error", asked: 1},
	} {
		t.Run(name, func(t *testing.T) {
			config, asked := c.config(t)
			if config.Host == "" {
				config.Host = "http://192.0.2.1"
			}
			hardened, err := Harden(config, Budget{Answer: 20 * time.Second})
			require.NoError(t, err)
			start := time.Now()
			_, err = clientFor(t, hardened).Get(config.Host)
			require.ErrorContains(t, err, c.want)
			assert.Less(t, time.Since(start), 10*time.Second)
			assert.EqualValues(t, c.asked, asked.Load())
		})
	}
}

func TestAControlThatRefusesIsAskedOnce(t *testing.T) {
	for _, silence := range []time.Duration{0, -1} {
		var asked atomic.Int32
		d := &Dialer{Silence: silence, Control: func(context.Context, string, string, syscall.RawConn) error {
			asked.Add(1)
			return errPolicy
		}}
		_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		require.ErrorIs(t, err, errPolicy)
		assert.EqualValues(t, 1, asked.Load())
	}
}

func TestWhatTellsOfTheNetworkIsTransient(t *testing.T) {
	socks := func(err error) error { return &net.OpError{Op: "socks connect", Net: "tcp", Err: err} }
	for _, err := range []error{
		socks(errors.New("unknown error host unreachable")), socks(errors.New("unknown error general SOCKS server failure")),
		socks(io.EOF), socks(syscall.ECONNRESET),
	} {
		assert.Equal(t, transient, failure{err: err, asked: true}.judge(), err)
	}
	for _, err := range []error{
		&url.Error{Op: "Post", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}},
		&url.Error{Op: "Post", Err: io.EOF}, &url.Error{Op: "Post", Err: context.DeadlineExceeded},
		&net.DNSError{Err: "server misbehaving", IsTemporary: true}, fmt.Errorf("%w: %w", errPolicy, syscall.EPIPE),
		&net.OpError{Op: "read", Err: net.ErrClosed}, &Error{Err: os.ErrDeadlineExceeded},
		&net.OpError{Op: "remote error", Err: errors.New("tls: internal error")},
	} {
		assert.Equal(t, transient, failure{err: err}.judge(), err)
		assert.False(t, declines(decline(err)), err)
	}
	require.NoError(t, decline(nil))
	assert.False(t, declines(decline(context.Canceled)), "of one that had to make room")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errPolicy }

// Hedges under way do not hold up an error that nothing can change.
func TestARefusalDoesNotWaitForOtherAttempts(t *testing.T) {
	var n atomic.Int32
	rt := &Transport{Budget: Budget{Answer: 20 * time.Second, Hedge: 50 * ms}, Base: roundTripFunc(func(request *http.Request) (*http.Response, error) {
		if n.Add(1) == 1 {
			<-request.Context().Done()
			return nil, context.Cause(request.Context())
		}
		return nil, errPolicy
	})}
	start := time.Now()
	_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
	require.ErrorIs(t, err, errPolicy)
	assert.Less(t, time.Since(start), 10*time.Second)
}

func TestWhatBecameOfAConnectionIsTransient(t *testing.T) {
	for _, text := range []string{
		"http: server closed idle connection", "http2: client connection lost", "stream error: stream ID 1; INTERNAL_ERROR",
		"net/http: HTTP/1.x transport connection broken: malformed HTTP status code", "malformed HTTP response \"x\"",
	} {
		assert.Equal(t, transient, failure{err: errors.New(text), asked: true, begun: true}.judge(), text)
	}
	for _, text := range []string{"Proxy Authentication Required", "Forbidden"} {
		assert.Equal(t, stubborn, failure{err: errors.New(text), asked: true}.judge(), text)
	}
	assert.Equal(t, transient, failure{err: errors.New("Bad Gateway"), asked: true}.judge(), "a proxy's word for its network")
}

// newPeer serves each connection by a function, and closes it then.
func newPeer(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	return listener.Addr().String()
}
