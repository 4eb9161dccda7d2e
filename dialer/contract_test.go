package dialer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// What net/http promises of a request and of an answer holds above a Transport too.

// serving is a server without TLS.
func serving(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func newTransport(t *testing.T, bound time.Duration) *Transport {
	transport := &Transport{Budget: Budget{Answer: bound}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// readThen calls a function when its reader has come to the end.
type readThen struct {
	io.Reader
	then func()
}

func (r readThen) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		r.then()
	}
	return n, err
}

func TestATrailerMayBeFilledInWhileTheBodyIsRead(t *testing.T) {
	var got atomic.Value
	server := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got.Store(r.Trailer.Get("X-Sum"))
	})
	request, err := http.NewRequest(http.MethodPut, server.URL, nil)
	require.NoError(t, err)
	request.Trailer, request.ContentLength = http.Header{"X-Sum": nil}, -1
	request.Body = io.NopCloser(readThen{strings.NewReader("hello"), func() { request.Trailer.Set("X-Sum", "42") }})
	request.GetBody = func() (io.ReadCloser, error) { panic("two attempts would fill in one trailer") }
	response, err := newTransport(t, 5*time.Second).RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "42", got.Load())
}

func TestAClosedRequestCancelEndsACall(t *testing.T) {
	server := serving(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	request, err := http.NewRequest(http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	cancel := make(chan struct{})
	request.Cancel = cancel //nolint:staticcheck // deprecated, and heeded
	time.AfterFunc(100*time.Millisecond, func() { close(cancel) })
	start := time.Now()
	_, err = newTransport(t, 20*time.Second).RoundTrip(request)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "Request.Cancel")
	assert.Less(t, time.Since(start), 10*time.Second)
}

// It ends the body of a stream too.
func TestAClosedRequestCancelEndsAStream(t *testing.T) {
	server := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	request, err := http.NewRequest(http.MethodGet, server.URL+"?watch=1", nil)
	require.NoError(t, err)
	cancel := make(chan struct{})
	request.Cancel = cancel //nolint:staticcheck // deprecated, and heeded
	response, err := newTransport(t, 5*time.Second).RoundTrip(request)
	require.NoError(t, err)
	close(cancel)
	_, err = io.ReadAll(response.Body)
	assert.Error(t, err)
	require.NoError(t, response.Body.Close())
}

func TestAnAnswerWithoutABodyHasNone(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000000")
			if r.Method == http.MethodGet {
				w.WriteHeader(http.StatusNotModified)
			}
		}))
		server.EnableHTTP2 = http2
		server.StartTLS()
		t.Cleanup(server.Close)
		transport := &Transport{Base: server.Client().Transport, Budget: Budget{Answer: 5 * time.Second}}
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			request, err := http.NewRequest(method, server.URL, nil)
			require.NoError(t, err)
			response, err := transport.RoundTrip(request)
			require.NoError(t, err, "HTTP/2 %t, %s", http2, method)
			body, err := io.ReadAll(response.Body)
			assert.NoError(t, err)
			assert.Empty(t, body)
		}
	}
}

func TestABodyIsNotReadAfterItWasClosed(t *testing.T) {
	server := serving(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	request, err := http.NewRequest(http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	response, err := newTransport(t, 5*time.Second).RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	n, err := response.Body.Read(make([]byte, 10))
	assert.Zero(t, n)
	assert.ErrorIs(t, err, http.ErrBodyReadAfterClose)
	_, writes := response.Body.(io.Writer)
	assert.False(t, writes)
}

// A request that came of a redirect is a call of its own when that call is over.
func TestARedirectedRequestMayBeSentAgain(t *testing.T) {
	server := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
		}
	})
	const bound = 2 * time.Second
	client := &http.Client{Transport: newTransport(t, bound)}
	response, err := client.Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	time.Sleep(bound + 10*time.Millisecond) // what the first call had is over
	response, err = client.Do(response.Request.Clone(t.Context()))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}

// A GetBody that returns neither a body nor an error would have net/http read from nothing,
// in a goroutine in which nobody could recover.
func TestAGetBodyThatReturnsNothingIsAnError(t *testing.T) {
	rt := &Transport{Budget: Budget{Answer: time.Minute, Connect: 500 * time.Millisecond, Hedge: time.Millisecond}, Base: roundTripFunc(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	request, err := http.NewRequest(http.MethodPut, "http://192.0.2.1", io.NopCloser(strings.NewReader("body")))
	require.NoError(t, err)
	request.GetBody = func() (io.ReadCloser, error) { return nil, nil } //nolint:nilnil // what it must not do
	_, err = rt.RoundTrip(request)
	require.ErrorContains(t, err, "neither a body nor an error")
}

func TestAGetBodyThatBlocksIsNotWaitedFor(t *testing.T) {
	server := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	end := make(chan struct{})
	defer close(end)
	request, err := http.NewRequest(http.MethodPut, server.URL, strings.NewReader("x"))
	require.NoError(t, err)
	request.GetBody = func() (io.ReadCloser, error) { <-end; return http.NoBody, nil }
	const bound = time.Second
	start := time.Now()
	_, err = newTransport(t, bound).RoundTrip(request)
	require.Error(t, err)
	assert.Less(t, time.Since(start), bound+slowMachine)
}

// What cannot be sent is not tried again.
func TestARequestThatCannotBeSentIsTriedOnce(t *testing.T) {
	server := serving(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	body := func(text string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	}
	for name, c := range map[string]struct {
		url, body string
		length    int64
	}{
		"a port that is none": {url: "http://127.0.0.1:99999"},
		"a body too short":    {server.URL, "h", 2},
		"a body too long":     {server.URL, "hello", 2},
		"a body that is none": {server.URL, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodPut, c.url, nil)
			require.NoError(t, err)
			request.ContentLength = c.length
			if c.body != "" {
				request.GetBody = body(c.body)
				request.Body, _ = request.GetBody()
			}
			_, err = newTransport(t, 20*time.Second).RoundTrip(request)
			var failed *Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, 1, failed.Tries, err)
		})
	}
}

// Of what a refusal says nothing is lost that a Status cannot keep.
func TestTheBodyOfARefusalIsKept(t *testing.T) {
	said := `{"type":"about:blank","detail":"` + strings.Repeat("x", 5000) + `","code":"E42"}`
	server := serving(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, said)
	})
	hardened, err := Harden(&rest.Config{Host: server.URL}, Budget{Answer: 5 * time.Second})
	require.NoError(t, err)
	client := clientFor(t, hardened)
	for method, want := range map[string]string{http.MethodGet: said, http.MethodHead: ""} {
		request, err := http.NewRequest(method, server.URL, nil)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Equal(t, want, string(body))
		assert.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
		seconds := response.Header.Get("Retry-After")
		assert.NotEqual(t, "1", seconds, "client-go would sleep for it")
	}
}

func TestBoundsAtTheirEndsAreBounds(t *testing.T) {
	server := serving(t, func(http.ResponseWriter, *http.Request) {})
	for _, budget := range []Budget{
		{Answer: math.MaxInt64, Upload: math.MaxInt64}, {Answer: time.Minute, Upload: math.MaxInt64}, {Answer: time.Minute, Open: math.MaxInt64, Upload: 1},
		{Answer: time.Minute, MaxBody: math.MaxInt64}, {Answer: time.Minute, Hedge: -1, DialHedge: -1, Silence: -1},
	} {
		require.NoError(t, budget.Validate())
		transport := &Transport{Budget: budget}
		for _, query := range []string{"", "?watch=1"} {
			response, err := (&http.Client{Transport: transport}).Post(server.URL+query, "", strings.NewReader("x"))
			require.NoError(t, err, fmt.Sprintf("%+v", budget))
			require.NoError(t, response.Body.Close())
		}
		transport.CloseIdleConnections()
	}
}

// A host that accepts connections and says nothing does not keep others waiting.
func TestADeadHostDoesNotStarveAnother(t *testing.T) {
	server, _ := newServer(t, false, func(http.ResponseWriter, *http.Request) {})
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = dead.Close() })
	transport := newTransport(t, 2*time.Minute)
	transport.WrappedRoundTripper().(*http.Transport).TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 5 * mostShaking {
		waiting.Go(func() {
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+dead.Addr().String(), nil)
			_, err := transport.RoundTrip(request)
			assert.Error(t, err)
		})
	}
	require.Eventually(t, func() bool {
		transport.making.mu.Lock()
		defer transport.making.mu.Unlock()
		return len(transport.making.waiting) > 0
	}, 10*time.Second, time.Millisecond)
	start := time.Now()
	response, err := (&http.Client{Transport: transport}).Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Less(t, time.Since(start), slowMachine, "a quarter of the bound is a dial to the dead")
	cancel()
	waiting.Wait()
}

// A dial to an address that refuses waits no longer than Connect, however rare its
// siblings are, and what one family refuses the other may grant.
func TestARefusedAddressIsWaitedForNoLongerThanADial(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	refusing, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, refusing.Close())
	d := &Dialer{Connect: time.Second, Hedge: time.Hour}
	for range 2 * refusalsInARow {
		start := time.Now()
		_, err := d.DialContext(t.Context(), "tcp4", refusing.Addr().String())
		require.Error(t, err)
		assert.Less(t, time.Since(start), d.Connect+slowMachine)
	}
	for range 2 * refusalsInARow {
		d.refusers.leave("tcp6 localhost:"+port, false, &net.OpError{Op: "dial", Err: connectionRefused})
	}
	conn, err := d.DialContext(t.Context(), "tcp4", "localhost:"+port)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}
