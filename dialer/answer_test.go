package dialer

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
)

func TestIsStreamReadsTheQuery(t *testing.T) {
	for query, want := range map[string]bool{
		"":                                false,
		"watch=true":                      true,
		"watch=1":                         true,
		"resourceVersion=5&watch=true":    true,
		"w%61tch=true":                    false, // nobody writes it so, and parsing each query would cost more
		"watch=false":                     false,
		"watch=0":                         false,
		"watch=t":                         true,
		"watch=TRUE":                      true,
		"watch=FALSE":                     false,
		"watch=f":                         true, // for kube-apiserver, too
		"watch=":                          true, // as well
		"watch":                           true,
		"watch=false&watch=true":          false,
		"fieldSelector=a%3Dwatch=true":    false,
		"labelSelector=watch%3Dtrue":      false,
		"stopwatch=true":                  false,
		"follow=true&container=x":         true,
		"follow=false":                    false,
		"allowWatchBookmarks=true&x=y":    false,
		"watch=true&timeoutSeconds=10":    true,
		"watch=true;follow=true":          false,
		"sendInitialEvents=true&watch=tr": true,
		"sendInitialEvents=true&watch=1":  true,
		"follow":                          true,
	} {
		request := newRequest(t.Context(), "GET", "")
		request.URL.RawQuery = query
		assert.Equal(t, want, IsStream(request), query)
	}
	upgrade := newRequest(t.Context(), "POST", "")
	upgrade.Header.Set("Upgrade", "SPDY/3.1")
	assert.True(t, IsStream(upgrade))
	assert.False(t, IsStream(&http.Request{Method: "GET"}), "no URL")
}

// What kube-apiserver takes for long-running by its path, except for a log that is
// not followed: that ends by itself.
func TestIsStreamReadsThePath(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/v1/watch/pods":                                            true,
		"/api/v1/watch/namespaces/ns/pods/it":                           true,
		"/apis/apps/v1/watch/deployments":                               true,
		"/k8s/clusters/c-1/api/v1/watch/pods":                           true,
		"/api/v1/watch":                                                 false,
		"/apis/coordination.k8s.io/v1/namespaces/ns/leases/watch":       false,
		"/apis/coordination.k8s.io/v1/namespaces/watch/leases/it":       false,
		"/apis/coordination.k8s.io/v1/namespaces/proxy/leases/exec":     false,
		"/apis/watch/v1/things/it":                                      false,
		"/api/v1/namespaces/ns/pods/it":                                 false,
		"/api/v1/namespaces/ns/pods/it/exec":                            true,
		"/api/v1/namespaces/ns/pods/it/attach":                          true,
		"/api/v1/namespaces/ns/pods/it/portforward":                     true,
		"/api/v1/namespaces/ns/pods/it/log":                             false,
		"/api/v1/namespaces/ns/pods/it/status":                          false,
		"/api/v1/namespaces/ns/pods/exec":                               false,
		"/api/v1/namespaces/ns/services/it/proxy":                       true,
		"/api/v1/namespaces/ns/services/https:it:1/proxy/feed/watch/it": true,
		"/api/v1/nodes/it/proxy/logs/":                                  true,
		"/api/v1/nodes/proxy":                                           false,
		"/watch/this/exec":                                              false,
		"/api":                                                          false,
		"/apis/watch/":                                                  false,
		"":                                                              false,
	} {
		assert.Equal(t, want, IsStream(&http.Request{Method: "GET", URL: &url.URL{Path: path}}), path)
	}
}

// The first answer goes silent in the middle of its body, whatever is known of
// the body's length. The next one is whole.
func TestABodyThatGoesSilentIsHedged(t *testing.T) {
	lease := []byte(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"lock","annotations":{"long":"` + strings.Repeat("x", 3<<10) + `"}}}`)
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, _ = writer.Write(lease)
	require.NoError(t, writer.Close())
	for name, c := range map[string]struct {
		headers http.Header
		body    []byte
	}{
		"length known":   {http.Header{"Content-Length": {strconv.Itoa(len(lease))}}, lease},
		"length unknown": {nil, lease},
		"compressed":     {http.Header{"Content-Encoding": {"gzip"}}, zipped.Bytes()},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				for key, values := range c.headers {
					w.Header()[key] = values
				}
				if requests.Add(1) > 1 {
					_, _ = w.Write(c.body)
					return
				}
				_, _ = w.Write(c.body[:len(c.body)/2])
				_ = http.NewResponseController(w).Flush()
				<-request.Context().Done()
			})
			leases := leasesOf(t, server, Budget{Answer: 20 * time.Second, Hedge: 100 * ms})
			start := time.Now()
			got, err := leases.Get(t.Context(), "lock", metav1.GetOptions{})
			require.NoError(t, err)
			assert.Equal(t, "lock", got.Name)
			assert.EqualValues(t, 2, requests.Load())
			assert.Less(t, time.Since(start), 10*time.Second)
		})
	}
}

// leasesOf returns the Leases of a hardened client as client-go makes it.
func leasesOf(t *testing.T, server *httptest.Server, budget Budget, opts ...Option) coordinationv1.LeaseInterface {
	t.Helper()
	hardened, err := Harden(newConfig(server), budget, opts...)
	require.NoError(t, err)
	client, err := coordinationv1.NewForConfigAndClient(hardened, clientFor(t, hardened))
	require.NoError(t, err)
	return client.Leases("ns")
}

// A server that does each of these for ever does not keep a caller who has no
// context of his own, whether he reads or opens a watch.
func TestNoAnswerLastsLongerThanItsBound(t *testing.T) {
	const bound = 500 * ms
	trickle := func(w http.ResponseWriter, request *http.Request) {
		for request.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-request.Context().Done():
			case <-time.After(20 * ms):
			}
		}
	}
	status := func(code int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, request *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(code)
			trickle(w, request)
		}
	}
	raw := func(send string, again string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			_, err = io.WriteString(conn, send)
			for err == nil {
				_, err = io.WriteString(conn, again)
				<-time.After(20 * ms)
			}
		}
	}
	for name, handler := range map[string]http.HandlerFunc{
		"silent":                                func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() },
		"a trickle":                             trickle,
		"a trickle of known length":             status(200, "Content-Length", "1000000"),
		"500 with Retry-After and no end":       status(500, "Retry-After", "1"),
		"503 with Retry-After and no end":       status(503, "Retry-After", "1"),
		"429 with Retry-After and no end":       status(429, "Retry-After", "1", "Content-Type", "application/json"),
		"403 without an end":                    status(403),
		"1xx without an end":                    raw("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
		"a header without an end":               raw("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
		"chunks without an end":                 raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"),
		"a redirect without an end, each slow":  redirectSlowly(150 * ms),
		"a redirect without an end, each quick": redirectSlowly(0),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
				w.Header().Set("Content-Type", "application/json") // client-go leaves the body of a watch open whose type it does not know
				handler(w, request)
			})
			leases := leasesOf(t, server, Budget{Answer: bound})
			start := time.Now()
			_, err := leases.Get(context.Background(), "lock", metav1.GetOptions{})
			require.Error(t, err)
			assert.Less(t, time.Since(start), bound+slowMachine)

			start = time.Now()
			watch, err := leases.Watch(context.Background(), metav1.ListOptions{})
			assert.Less(t, time.Since(start), bound+slowMachine)
			if err == nil { // the headers have come: the rest is the reader's
				watch.Stop()
			}
		})
	}
}

func redirectSlowly(d time.Duration) http.HandlerFunc {
	var hops atomic.Int32
	return func(w http.ResponseWriter, request *http.Request) {
		select {
		case <-time.After(d):
		case <-request.Context().Done():
		}
		http.Redirect(w, request, fmt.Sprintf("/%d?%s", hops.Add(1), request.URL.RawQuery), http.StatusTemporaryRedirect)
	}
}

func TestRedirectsShareOneBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := 0
		hop := func(*http.Request) (*http.Response, error) {
			next++
			return &http.Response{StatusCode: 302, Body: http.NoBody, Header: http.Header{"Location": {fmt.Sprintf("https://192.0.2.1/%d", next)}}}, nil
		}
		base := newScript(after(400*ms, hop))
		start := time.Now()
		client := &http.Client{Transport: &Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: -1}}}
		_, err := client.Get("https://192.0.2.1/")
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		assert.EqualValues(t, 3, base.sent.Load())
		assert.ErrorContains(t, err, "in 1s (bound 1s)")

		// The next call has a bound of its own.
		start = time.Now()
		client.Transport.(*Transport).Base = newScript(after(600*ms, hop), after(300*ms, answer(200, "there")))
		response, err := client.Get("https://192.0.2.1/")
		require.NoError(t, err)
		assert.Equal(t, "there", bodyOf(t, response))
		assert.Equal(t, 900*ms, time.Since(start))
	})
}

// A balancer that is wrong may lead back to itself. Its connection is not kept, so
// that the next is another's.
func TestARedirectIsFollowedOnANewConnection(t *testing.T) {
	var first atomic.Pointer[string]
	server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
		if first.CompareAndSwap(nil, &request.RemoteAddr) || *first.Load() == request.RemoteAddr {
			http.Redirect(w, request, request.URL.RequestURI(), http.StatusTemporaryRedirect)
			return
		}
		hello(w, request)
	})
	for _, method := range []string{http.MethodGet, http.MethodPut} {
		first.Store(nil)
		client := newClient(t, server, Budget{Answer: 20 * time.Second, Hedge: -1})
		response, err := client.Do(newRequestTo(t, method, server.URL))
		require.NoError(t, err, method)
		assert.Equal(t, 200, response.StatusCode)
		assert.NotEmpty(t, bodyOf(t, response))
	}
}

func newRequestTo(t *testing.T, method, url string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("body"))
	require.NoError(t, err)
	return request
}

func TestAnAnswerBeyondMaxBodyIsAnErrorAtOnce(t *testing.T) {
	for name, length := range map[string]int64{"length known": 6, "length unknown": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := &trackedBody{Reader: strings.NewReader("longer")}
				base := newScript(func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: 200, ContentLength: length, Body: body}, nil
				})
				start := time.Now()
				rt := &Transport{Base: base, Budget: Budget{Answer: time.Second, MaxBody: 5}}
				_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
				require.ErrorIs(t, err, ErrTooLarge)
				assert.ErrorContains(t, err, "Budget.MaxBody (5 bytes)")
				assert.ErrorContains(t, err, "bound 1s")
				assert.Zero(t, time.Since(start))
				assert.EqualValues(t, 1, base.sent.Load(), "another attempt would bring the same")
				assert.True(t, body.closed.Load())

				rt.Budget.MaxBody = 6
				rt.Base = newScript(answer(200, "longer"))
				response, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
				require.NoError(t, err)
				assert.Equal(t, "longer", bodyOf(t, response))
			})
		})
	}
}

// The answer to HEAD says how long the body would be.
func TestAnAnswerToHeadHasNoBody(t *testing.T) {
	server, _ := newServer(t, false, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "5000000000") })
	client := newClient(t, server, Budget{Answer: 20 * time.Second})
	response, err := client.Head(server.URL)
	require.NoError(t, err)
	assert.EqualValues(t, 5_000_000_000, response.ContentLength)
	assert.Empty(t, bodyOf(t, response))
}

// lines answers fourLines, one every 150ms.
func lines(w http.ResponseWriter, _ *http.Request) {
	for line := range strings.Lines(fourLines) {
		_, _ = io.WriteString(w, line)
		_ = http.NewResponseController(w).Flush()
		<-time.After(150 * ms)
	}
}

const fourLines = "one\ntwo\nthree\nfour\n"

func TestAStreamIsWhatItsCallerSays(t *testing.T) {
	overPipes(t, lines, func(t *testing.T, config *rest.Config) {
		budget := Budget{Answer: 300 * ms, Hedge: -1}
		hardened, err := Harden(config, budget, WithStreams(func(request *http.Request) bool { return request.URL.Path == "/lines" }))
		require.NoError(t, err)
		client := clientFor(t, hardened)
		assert.Equal(t, fourLines, get(t, client, config.Host+"/lines"))
		_, err = client.Get(config.Host + "/?watch=true")
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.ErrorContains(t, err, "an answer (200) had begun, its body had not ended")

		byDefault, err := Harden(config, budget)
		require.NoError(t, err)
		for _, stream := range []string{"?watch=true", "/api/v1/namespaces/x/pods/y/log?follow=true"} {
			assert.Equal(t, fourLines, get(t, clientFor(t, byDefault), config.Host+stream))
		}
	})
}

func TestARefusedWatchIsAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(func(request *http.Request) (*http.Response, error) {
			reader, writer := io.Pipe()
			context.AfterFunc(request.Context(), func() { _ = writer.Close() })
			return &http.Response{StatusCode: 403, ContentLength: -1, Body: reader}, nil
		})
		_, err := send(base, newWatch(t.Context()))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(base.start))
		synctest.Wait()
	})
}

func TestOpenAndUploadAreBoundedApart(t *testing.T) {
	budget := Budget{Answer: time.Second, Open: 3 * time.Second, Upload: 5 * time.Second, Hedge: -1}
	for name, c := range map[string]struct {
		request func(context.Context) *http.Request
		want    time.Duration
	}{
		"an answer":               {func(ctx context.Context) *http.Request { return newRequest(ctx, "GET", "") }, time.Second},
		"the opening of a stream": {newWatch, 3 * time.Second},
		"an upload":               {func(ctx context.Context) *http.Request { return newRequest(ctx, "PUT", "body") }, 6 * time.Second},
		"a body that is known none": {func(ctx context.Context) *http.Request {
			r := newRequest(ctx, "PUT", "")
			r.Body = http.NoBody
			return r
		}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := (&Transport{Base: newScript(silent), Budget: budget}).RoundTrip(c.request(t.Context()))
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				assert.Equal(t, c.want, time.Since(start))
			})
		})
	}
}

// slowBody gives size bytes every 50ms.
type slowBody struct{ left, size int }

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(50 * ms)
	n := min(b.left, b.size, len(p))
	b.left -= n
	return n, nil
}

func (b *slowBody) Close() error { return nil }

func TestABodyOnItsWayIsNotHedged(t *testing.T) {
	download := func(size int) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: &slowBody{left: 12 * size, size: size}}, nil
		}
	}
	synctest.Test(t, func(t *testing.T) {
		base := newScript(download(256 << 10))
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Minute, Hedge: 500 * ms}}
		response, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Len(t, bodyOf(t, response), 12*256<<10)
		assert.EqualValues(t, 1, base.sent.Load())

		base = newScript(download(16))
		rt = &Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: 500 * ms}}
		_, err = rt.RoundTrip(newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.EqualValues(t, 2, base.sent.Load(), "a trickle is hedged")

		var sent atomic.Int32
		rt = &Transport{Budget: Budget{Answer: time.Minute, Hedge: 200 * ms}, Base: roundTripFunc(func(request *http.Request) (*http.Response, error) {
			sent.Add(1)
			if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, request.Body, make([]byte, 64<<10)); err != nil {
				return nil, err
			}
			return answer(200, "taken")(request)
		})}
		request := newRequest(t.Context(), "PUT", "")
		body := func() (io.ReadCloser, error) { return &slowBody{left: 1 << 20, size: 64 << 10}, nil }
		request.Body, _ = body()
		request.GetBody, request.ContentLength = body, 1<<20
		_, err = rt.RoundTrip(request)
		require.NoError(t, err)
		assert.EqualValues(t, 1, sent.Load(), "nor is an upload")
	})
}
