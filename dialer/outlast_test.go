package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// A dial of the user's own that heeds no context is no reason to dial no more: once
// the network is well again, so is the client, while the dials of before still hang.
func TestOwnDialsThatHangDoNotOutliveTheOutage(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	var well atomic.Bool
	var hang, hung atomic.Int32
	end := make(chan struct{})
	hardened, err := Harden(&rest.Config{Host: server.URL, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if well.Load() {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		hung.Add(1)
		hang.Add(1)
		defer hang.Add(-1)
		<-end
		return nil, errors.New("too late")
	}}, Budget{Answer: 500 * ms})
	require.NoError(t, err)
	client, err := rest.HTTPClientFor(hardened)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	const calls = 12
	for range calls {
		_, err := client.Get(server.URL)
		require.Error(t, err)
	}
	assert.LessOrEqual(t, hung.Load(), int32(maxUnderway+maxDeafDials+4*calls), "what hangs does not grow faster than the calls")
	well.Store(true)
	inARound(t, func(round *assert.CollectT) { fetch(round, client, server.URL) })
	close(end)
	require.Eventually(t, func() bool { return hang.Load() == 0 }, 20*time.Second, ms)
}

// What a round tripper that heeds no context keeps does not grow with the number of
// calls, and when it comes back, so does the client.
func TestRoundTrippersThatHangAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		var hang atomic.Int32
		rt := &Transport{Budget: Budget{Answer: 20 * ms, Hedge: 10 * ms}, Base: roundTripFunc(func(request *http.Request) (*http.Response, error) {
			hang.Add(1)
			defer hang.Add(-1)
			<-end
			return answer(200, "")(request)
		})}
		call := func() error {
			_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
			return err
		}
		for range 1000 {
			if errors.Is(call(), errDeaf) {
				break
			}
		}
		most := hang.Load()
		for range 100 {
			require.ErrorIs(t, call(), errDeaf)
		}
		assert.Equal(t, most, hang.Load())
		close(end)
		synctest.Wait()
		require.NoError(t, call())
		time.Sleep(lastWord)
		synctest.Wait()
		assert.Zero(t, rt.deaf.Load())
	})
}

// A hedge that is refused on this side, or by another server, is no reason to give up
// on what was sent before it.
func TestWhatIsUnderWayMayStillBeAnswered(t *testing.T) {
	for name, refusal := range map[string]error{
		"a round tripper that lets one request through at a time": errPolicy,
		"a server that is not trusted":                            errors.New("x509: certificate signed by unknown authority"),
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int32
			rt := &Transport{Budget: Budget{Answer: 8 * time.Second, Hedge: 50 * ms}, Base: roundTripFunc(func(request *http.Request) (*http.Response, error) {
				if sent.Add(1) > 1 {
					return nil, refusal
				}
				return after(500*ms, answer(200, "well"))(request)
			})}
			response, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
			require.NoError(t, err)
			assert.Equal(t, "well", bodyOf(t, response))
			assert.LessOrEqual(t, sent.Load(), int32(2+atOnce), "no further attempts")
		})
	}
	t.Run("a body that cannot be had twice", func(t *testing.T) {
		request := newRequest(t.Context(), "PUT", "the lease")
		request.GetBody = func() (_ io.ReadCloser, _ error) { return nil, errPolicy }
		rt := &Transport{Budget: Budget{Answer: 8 * time.Second, Hedge: 50 * ms}, Base: newScript(after(500*ms, answer(200, "well")))}
		response, err := rt.RoundTrip(request)
		require.NoError(t, err)
		assert.Equal(t, "well", bodyOf(t, response))
	})
}

// Whose caller has no more time learns what the servers have said until then.
func TestARefusalIsToldWhereTheCallersTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*ms)
		defer cancel()
		rt := &Transport{Budget: Budget{Answer: time.Minute, Hedge: 50 * ms}, Base: newScript(answer(429, "too much"), silent)}
		_, err := rt.RoundTrip(newRequest(ctx, "GET", ""))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorContains(t, err, "429 (Too Many Requests)")
	})
}

// What was switched to another protocol can be closed for writing, as net/http's can,
// and a request that asks for it asks for nothing else of the connection, in every mode.
func TestUpgradedConnectionIsHalfClosed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, []string{"Upgrade"}, r.Header["Connection"])
		conn, rw, err := w.(http.Hijacker).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		all, _ := io.ReadAll(rw)
		_, _ = conn.Write(append([]byte("all of "), all...))
	}))
	defer server.Close()
	for mode := range Mode(len(modeNames)) {
		t.Run(mode.String(), func(t *testing.T) {
			rt := &Transport{Budget: Budget{Answer: 10 * time.Second, Mode: mode}}
			defer rt.CloseIdleConnections()
			request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
			require.NoError(t, err)
			request.Header.Set("Connection", "Upgrade")
			request.Header.Set("Upgrade", "echo")
			response, err := rt.RoundTrip(request)
			require.NoError(t, err)
			_, err = response.Body.(io.Writer).Write([]byte("it"))
			require.NoError(t, err)
			require.Implements(t, (*halfClosing)(nil), response.Body)
			require.NoError(t, response.Body.(halfClosing).CloseWrite())
			assert.Equal(t, "all of it", bodyOf(t, response))
		})
	}
}

// Nobody tells what becomes of a connection that was dialled by hand, or for a request
// whose context a round tripper of the user's has replaced. Once the peer has said
// something, it is in use.
func TestConnectionThatNobodyTellsOfOutlivesTheBound(t *testing.T) {
	const within, words = 300 * ms, 8
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range words {
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			time.Sleep(within / 3)
		}
	}))
	defer server.Close()
	for name, harden := range map[string]func(*rest.Config) (*rest.Config, error){
		"Harden":        func(c *rest.Config) (*rest.Config, error) { return Harden(c, Budget{Answer: within}) },
		"HardenTraffic": func(c *rest.Config) (*rest.Config, error) { return HardenTraffic(c, within) },
	} {
		t.Run(name+", dialled by hand", func(t *testing.T) {
			hardened, err := harden(&rest.Config{Host: server.URL})
			require.NoError(t, err)
			inARound(t, func(round *assert.CollectT) {
				conn, err := hardened.Dial(t.Context(), "tcp", server.Listener.Addr().String())
				require.NoError(round, err)
				defer func() { _ = conn.Close() }()
				_, err = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
				require.NoError(round, err)
				all, err := io.ReadAll(conn)
				require.NoError(round, err)
				assert.Contains(round, string(all), strings.Repeat("x", words))
			})
		})
		t.Run(name+", a round tripper with a context of its own", func(t *testing.T) {
			hardened, err := harden(&rest.Config{Host: server.URL, WrapTransport: func(rt http.RoundTripper) http.RoundTripper {
				return roundTripFunc(func(request *http.Request) (*http.Response, error) {
					return rt.RoundTrip(request.WithContext(context.Background()))
				})
			}})
			require.NoError(t, err)
			client, err := rest.HTTPClientFor(hardened)
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			inARound(t, func(round *assert.CollectT) {
				assert.Equal(round, strings.Repeat("x", words), fetch(round, client, server.URL+"?watch=true"))
			})
		})
	}
}
