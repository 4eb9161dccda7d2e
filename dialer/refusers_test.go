package dialer

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server that refuses every connection is dialled by one caller of twenty at a time,
// and by all of them as soon as it is well.
func TestAServerThatRefusesIsAskedByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, underway, most atomic.Int64
		var well atomic.Bool
		stopped := make(chan struct{})
		budget := Budget{Answer: 10 * time.Second}.WithDefaults()
		d := budget.dialer(func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			most.Store(max(most.Load(), underway.Add(1)))
			defer underway.Add(-1)
			time.Sleep(ms)
			if !well.Load() {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			near, far := net.Pipe()
			go func() {
				_ = (&http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}).Serve(&oneConn{conn: far, stopped: stopped})
			}()
			return near, nil
		})
		rt := &Transport{Budget: budget, Base: &http.Transport{DialContext: d.DialContext}}
		const callers = 20
		start := time.Now()
		var running sync.WaitGroup
		var late atomic.Int64
		for range callers {
			running.Go(func() {
				for {
					at := time.Now()
					request := newRequest(context.Background(), "GET", "")
					request.URL.Scheme = "http"
					response, err := rt.RoundTrip(request)
					if err == nil {
						_ = response.Body.Close()
						late.Store(max(late.Load(), int64(time.Since(start)-time.Minute)))
						return
					}
					assert.ErrorIs(t, err, syscall.ECONNREFUSED)
					assert.LessOrEqual(t, time.Since(at), budget.Answer)
				}
			})
		}
		time.Sleep(time.Second)
		first := dials.Load()
		most.Store(0)
		time.Sleep(59 * time.Second)
		t.Logf("figure: a server that refuses, %d callers: %d dials in the first second, %d in a minute, %d at once", callers, first, dials.Load(), most.Load())
		assert.LessOrEqual(t, dials.Load()-first, int64(time.Minute/budget.DialHedge))
		assert.EqualValues(t, 1, most.Load())
		well.Store(true)
		running.Wait()
		require.LessOrEqual(t, time.Duration(late.Load()), 2*budget.Hedge, "well again")
		rt.CloseIdleConnections()
		close(stopped)
		time.Sleep(budget.Answer) // until the last dials have ended
	})
}
