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
		dial := func(ctx context.Context, u *requestTrace) (func(bool), error) {
			return h.begin(ctx, u, "server", time.Minute)
		}
		request := func() (*requestTrace, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			return m.follow(ctx), cancel
		}
		var done []func(bool)
		for range mostShaking {
			u, _ := request()
			made, err := dial(t.Context(), u)
			require.NoError(t, err)
			done = append(done, made)
		}
		assert.True(t, h.crowded())
		var came atomic.Int64
		waiting := func(name string, u *requestTrace) {
			go func() {
				if made, err := dial(t.Context(), u); err == nil {
					came.Add(1)
					made(true)
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
		done[0](true)
		done[0](true) // counts once
		synctest.Wait()
		assert.EqualValues(t, 1, came.Load(), "the turn goes to who still needs it")
		second, _ := request()
		waiting("finds room", second)
		assert.EqualValues(t, 2, came.Load())
		time.Sleep(time.Minute) // the rest are dead
		synctest.Wait()
		assert.False(t, h.crowded())
		assert.Empty(t, h.underway)
		for _, made := range done {
			made(true)
		}
		assert.Empty(t, h.underway)
	})
}

// The attempts of one call that wait do so behind the calls that have none under way.
func TestTheTurnGoesToWhoHasNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h handshakes
		var m Meter
		request := func(company *atomic.Int32) *requestTrace {
			u := m.follow(t.Context())
			u.company = company
			return u
		}
		calls := make([]atomic.Int32, mostShaking)
		var done []func(bool)
		for n := range calls {
			made, err := h.begin(t.Context(), request(&calls[n]), "server", time.Minute)
			require.NoError(t, err)
			done = append(done, made)
		}
		var order []string
		wait := func(name string, u *requestTrace) {
			go func() {
				made, err := h.begin(t.Context(), u, "server", time.Minute)
				assert.NoError(t, err)
				order = append(order, name)
				time.Sleep(time.Second)
				made(false)
			}()
			synctest.Wait()
			assert.True(t, u.queued.Load())
		}
		wait("a second of the last call", request(&calls[mostShaking-1]))
		var alone, failing atomic.Int32
		wait("alone", request(&alone))
		was := request(&failing)
		was.goes()
		wait("its other has failed", request(&failing))
		was.failed()
		for _, made := range done[:3] {
			made(false)
			synctest.Wait()
		}
		assert.Equal(t, []string{"alone", "its other has failed", "a second of the last call"}, order)
		time.Sleep(2 * time.Minute)
	})
}

func TestWhatIsTakenForDeadCountsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h handshakes
		var m Meter
		begin := func() func(bool) {
			made, err := h.begin(t.Context(), m.follow(t.Context()), "server", 4*time.Second)
			require.NoError(t, err)
			return made
		}
		count := func() int {
			h.mu.Lock()
			defer h.mu.Unlock()
			return len(h.underway)
		}
		dead := begin()
		for n := range mostShaking {
			require.Equal(t, 1, count(), n)
			begin()(true)
		}
		assert.Zero(t, count(), "overtaken")
		dead(false)
		begin()
		time.Sleep(4 * time.Second)
		synctest.Wait()
		assert.Zero(t, count(), "too long")
		for range 10 {
			made := begin()
			time.Sleep(3 * time.Second)
			made(true)
		}
		begin()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, count(), "as long as others took is not too long")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Zero(t, count())
	})
}
