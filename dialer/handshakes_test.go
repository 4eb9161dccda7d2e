package dialer

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that is short of CPU does its handshakes one after the other.
func TestAServerWhoseHandshakesTakeTimeAnswersACrowd(t *testing.T) {
	const crowd, each = 60, 60 * ms
	var cpu sync.Mutex
	var shaking, most atomic.Int64
	server, _ := newServer(t, true, hello, func(server *httptest.Server) {
		server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			n := shaking.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			cpu.Lock()
			time.Sleep(each)
			cpu.Unlock()
			shaking.Add(-1)
			return nil, nil
		}}
	})
	hardened, err := Harden(newConfig(server), Budget{Answer: 2 * time.Second})
	require.NoError(t, err)
	client := clientFor(t, hardened)
	// In three rounds, as those do who ask again: in the first what was asked for on
	// new connections may be given up, but not all of it may be lost.
	var answered atomic.Int64
	for range 3 {
		var asking sync.WaitGroup
		for range crowd {
			asking.Go(func() {
				request, err := http.NewRequestWithContext(FreshConnection(t.Context()), http.MethodGet, server.URL, nil)
				if !assert.NoError(t, err) {
					return
				}
				response, err := client.Do(request)
				if err == nil {
					answered.Add(1)
					_ = response.Body.Close()
				}
			})
		}
		asking.Wait()
	}
	assert.EqualValues(t, 3*crowd, answered.Load())
	assert.LessOrEqual(t, most.Load(), int64(2*mostShaking), "those that have taken too long do not count")
}

func TestConnectionsAreMadeAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h handshakes
		var m Meter
		dial := func(ctx context.Context, u *use) (func(), error) { return h.begin(ctx, u, time.Minute) }
		request := func() (*use, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			return m.follow(ctx), cancel
		}
		var done []func()
		for range mostShaking {
			u, _ := request()
			made, err := dial(t.Context(), u)
			require.NoError(t, err)
			done = append(done, made)
		}
		assert.True(t, h.crowded())
		var came atomic.Int64
		waiting := func(name string, u *use) {
			go func() {
				if made, err := dial(t.Context(), u); err == nil {
					came.Add(1)
					made()
				} else {
					assert.ErrorIs(t, err, context.Canceled, name)
				}
			}()
			synctest.Wait()
		}
		gone, cancel := request()
		waiting("given up", gone)
		served, _ := request()
		waiting("served by another connection", served)
		first, _ := request()
		waiting("waits", first)
		cancel()
		served.mu.Lock()
		served.known = true
		served.mu.Unlock()
		synctest.Wait()
		assert.Zero(t, came.Load())
		done[0]()
		done[0]() // counts once
		synctest.Wait()
		assert.EqualValues(t, 1, came.Load(), "the turn goes to who still needs it")
		second, _ := request()
		waiting("finds room", second)
		assert.EqualValues(t, 2, came.Load())
		time.Sleep(time.Minute) // the rest are dead
		synctest.Wait()
		assert.False(t, h.crowded())
		assert.Zero(t, h.underway)
		for _, made := range done {
			made()
		}
		assert.Zero(t, h.underway)
	})
}
