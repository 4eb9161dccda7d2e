package dialer

import (
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apicoordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOnlyWhatHTTPCallsIdempotentIsSentTwiceByDefault(t *testing.T) {
	for method, twice := range map[string]bool{
		"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "PUT": true, "DELETE": true,
		"POST": false, "PATCH": false, "CONNECT": false, "PROPFIND": false,
	} {
		for name, step := range map[string]func(*http.Request) (*http.Response, error){
			"silent": silent, "reset": broken, "429": answer(429, "no"), "502": answer(502, "no"), "503": answer(503, "no"), "504": answer(504, "no"),
		} {
			t.Run(method+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					base := newScript(step)
					response, err := send(base, newRequest(t.Context(), method, "x"))
					if err == nil {
						_ = response.Body.Close()
					}
					assert.Equal(t, twice, base.sent.Load() > 1, "%d times", base.sent.Load())
				})
			})
		}
	}
	keyed := newRequest(t.Context(), "POST", "x")
	keyed.Header.Set("Idempotency-Key", "5")
	assert.True(t, idempotent(keyed))
	command := newRequest(t.Context(), "GET", "")
	command.Header.Set("Upgrade", "websocket")
	assert.False(t, idempotent(command), "the command of an exec runs once")
	for _, way := range []string{"exec", "attach", "portforward"} {
		below := newRequest(t.Context(), "GET", "")
		below.URL.Path = "/api/v1/namespaces/n/pods/p/" + way
		assert.False(t, idempotent(below), "client-go asks for the websocket below")
	}
	named := newRequest(t.Context(), "GET", "")
	named.URL.Path = "/api/v1/namespaces/n/pods/exec"
	assert.True(t, idempotent(named))
}

func TestAPostThatNobodySawIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(unreachable, unreachable, unreachable, answer(201, "made"))
		response, err := send(base, newRequest(t.Context(), "POST", "x"))
		require.NoError(t, err)
		assert.Equal(t, 201, response.StatusCode)
		assert.Equal(t, []string{"x"}, base.bodies[3:])

		unreplayable := newRequest(t.Context(), "POST", "x")
		unreplayable.GetBody = nil
		base = newScript(unreachable, answer(201, "made"))
		_, err = send(base, unreplayable)
		require.Error(t, err, "its body is gone")
	})
}

func TestAnOptionSaysWhatMayBeSentTwice(t *testing.T) {
	var requests atomic.Int32
	server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body) // only then does the server notice that the client has gone
		if requests.Add(1) == 1 {
			<-request.Context().Done()
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"lock"}}`))
	})
	lease := &apicoordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "lock"}}
	_, err := leasesOf(t, server, Budget{Answer: 2 * time.Second, Hedge: 50 * ms}).Create(t.Context(), lease, metav1.CreateOptions{})
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.EqualValues(t, 1, requests.Load())

	requests.Store(0)
	all := WithHedgeable(func(*http.Request) bool { return true })
	_, err = leasesOf(t, server, Budget{Answer: 20 * time.Second, Hedge: 50 * ms}, all).Create(t.Context(), lease, metav1.CreateOptions{})
	require.NoError(t, err)
	assert.EqualValues(t, 2, requests.Load())
}

// Servers that break every connection get what the bucket holds, and then one
// attempt for each request and a tenth more.
func TestEveryAttemptThatReachedAServerIsPaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(broken)
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: 100 * ms}}
		const requests = 100
		for range requests {
			start := time.Now()
			_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
			require.ErrorIs(t, err, errBroken)
			require.Less(t, time.Since(start), time.Second, "without a token there is nothing to wait for")
		}
		assert.InDelta(t, requests+bucketSize+requests*bucketEarn, base.sent.Load(), 1)

		base = newScript(unreachable)
		rt = &Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: 100 * ms}}
		_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
		require.Error(t, err)
		assert.Equal(t, int(bucketSize), drain(&rt.tokens), "what reached nobody costs nothing")
	})
}

// A panic of a round tripper that the user has put in can be recovered where it
// would be without us: in the goroutine that made the call.
func TestAPanicReachesTheCaller(t *testing.T) {
	server, _ := newServer(t, false, hello)
	for name, value := range map[string]any{"an error": errPolicy, "a word": "boom", "an abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(server)
			config.WrapTransport = func(http.RoundTripper) http.RoundTripper {
				return roundTripFunc(func(*http.Request) (*http.Response, error) { panic(value) })
			}
			hardened, err := Harden(config, Budget{Answer: 20 * time.Second})
			require.NoError(t, err)
			client := clientFor(t, hardened)
			assert.PanicsWithValue(t, value, func() { _, _ = client.Get(server.URL) })
		})
	}
}

func TestAGoexitReachesTheCaller(t *testing.T) {
	gone := make(chan bool)
	go func() {
		defer close(gone)
		rt := &Transport{Budget: Budget{Answer: 20 * time.Second}, Base: roundTripFunc(func(*http.Request) (*http.Response, error) {
			runtime.Goexit()
			return nil, errors.New("never")
		})}
		_, _ = rt.RoundTrip(newRequest(t.Context(), "GET", ""))
		gone <- true
	}()
	assert.False(t, <-gone, "the caller does not go on")
}

func TestAPanicThatComesTooLateEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(func(*http.Request) (*http.Response, error) {
			time.Sleep(500 * ms)
			panic("nobody waits for this any more")
		}, answer(200, "second"))
		response, err := send(base, newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Equal(t, "second", bodyOf(t, response))
		time.Sleep(time.Second)
	})
}

// Each attempt says how long it is waited for, and a watch does not.
func TestRequestsSayHowLongTheyAreWaitedFor(t *testing.T) {
	said := make(chan string, 8)
	server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
		said <- request.URL.RawQuery
		hello(w, request)
	})
	hardened, err := Harden(newConfig(server), Budget{Answer: 20 * time.Second})
	require.NoError(t, err)
	client := clientFor(t, hardened)
	within := func(query string) time.Duration {
		get(t, client, server.URL+"/"+query)
		raw := <-said
		for _, part := range strings.Split(raw, "&") {
			if value, is := strings.CutPrefix(part, "timeout="); is {
				d, err := time.ParseDuration(value)
				require.NoError(t, err)
				return d
			}
		}
		return 0
	}
	assert.InDelta(t, 20*time.Second, within(""), float64(5*time.Second))
	assert.InDelta(t, 20*time.Second, within("?x=y"), float64(5*time.Second))
	assert.Equal(t, time.Second, within("?timeout=1s"), "what asks for less stays")
	assert.LessOrEqual(t, within("?timeout=1h"), 20*time.Second)
	assert.LessOrEqual(t, within("?timeout=never"), 20*time.Second)
	assert.Zero(t, within("?watch=true"))

	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var left []string
		base := newScript(func(request *http.Request) (*http.Response, error) {
			mu.Lock()
			left = append(left, request.URL.RawQuery)
			mu.Unlock()
			return silent(request)
		})
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: 400 * ms}, announce: true}
		request := newRequest(t.Context(), "GET", "")
		_, err := rt.RoundTrip(request)
		require.Error(t, err)
		assert.Equal(t, []string{"timeout=1s", "timeout=600ms", "timeout=200ms"}, left)
		assert.Empty(t, request.URL.RawQuery, "the caller's request is left alone")
	})
}
