package dialer

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
