package dialer

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shaken returns a Transport whose connections are dialled by dial to a server
// with TLS, as a hardened config's are.
func shaken(pool *authority, budget Budget, dial dialFunc) *Transport {
	budget = budget.WithDefaults()
	d := budget.dialer(dial)
	d.use = budget.Answer
	base := &http.Transport{DialContext: d.DialContext, TLSClientConfig: &tls.Config{RootCAs: pool.pool(), ServerName: apiName}}
	tune(base, budget)
	return &Transport{Base: base, Budget: budget}
}

// A dial of the user's own may take as long as a call. It is taken for dead no later
// than any other: what hangs for some callers holds up no other.
func TestDialsOfTheUsersThatHangHoldUpOthersForAMoment(t *testing.T) {
	authority := newAuthority(t, "authority")
	pair := authority.pair(t, "server")
	synctest.Test(t, func(t *testing.T) {
		server := newCounter(pair, ms)
		go server.serve()
		var dials atomic.Int32
		budget := Budget{Answer: 10 * time.Second, Hedge: -1, DialHedge: -1}.WithDefaults()
		rt := shaken(authority, budget, func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) <= mostShaking {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return server.dial(ctx, network, address)
		})
		for range mostShaking {
			go func() { // which may get the connection of another in the end
				_, _ = rt.RoundTrip(newRequest(t.Context(), "GET", ""))
			}()
		}
		time.Sleep(time.Second)
		start := time.Now()
		_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(start), 2*budget.Connect)
		rt.CloseIdleConnections()
		close(server.stopped)
		time.Sleep(budget.Answer)
	})
}
