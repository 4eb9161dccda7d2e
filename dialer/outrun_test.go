package dialer

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
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
	d.untilTaken = budget.Answer
	base := &http.Transport{DialContext: d.DialContext, TLSClientConfig: &tls.Config{RootCAs: pool.pool(), ServerName: apiName}}
	tune(base, budget)
	return &Transport{Base: base, Budget: budget, sockets: base}
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

// asked is what becomes of the calls of many callers, each of whom asks again a second
// after it was answered, and at once after it was not.
type asked struct{ answered, failed atomic.Int64 }

func askForLong(rt http.RoundTripper, callers int, d time.Duration) *asked {
	a, start := new(asked), time.Now()
	var running sync.WaitGroup
	for range callers {
		running.Go(func() {
			for time.Since(start) < d {
				response, err := rt.RoundTrip(newRequest(context.Background(), "GET", ""))
				if err != nil {
					a.failed.Add(1)
					continue
				}
				_ = response.Body.Close()
				a.answered.Add(1)
				time.Sleep(time.Second)
			}
		})
	}
	running.Wait()
	return a
}

// Where a server makes one handshake after the other and cannot make as many as are
// asked for, most of what it makes is of use to someone, in both modes.
func TestMostHandshakesOfAServerThatIsBehindAreOfUse(t *testing.T) {
	authority := newAuthority(t, "authority")
	pair := authority.pair(t, "server")
	const lasts = 6 * time.Second
	for _, c := range []struct {
		takes   time.Duration
		callers int
		useful  float64 // the share of handshakes that lead to an answer, at least
	}{
		{60 * ms, 60, 0.6},
		{100 * ms, 20, 0.7},
		{150 * ms, 20, 0.35}, // all eight at once: longer than twice Connect, half of the bound
	} {
		synctest.Test(t, func(t *testing.T) {
			server := newCounter(pair, c.takes)
			go server.serve()
			budget := Budget{Answer: 2 * time.Second, Mode: NewConnections}.WithDefaults()
			rt := shaken(authority, budget, server.dial)
			a := askForLong(rt, c.callers, lasts)
			t.Logf("figure: handshakes of %v, %d callers: %d calls answered, %d failed, %d handshakes", c.takes, c.callers, a.answered.Load(), a.failed.Load(), server.shaken.Load())
			assert.GreaterOrEqual(t, float64(a.answered.Load()), c.useful*float64(server.shaken.Load()))
			rt.CloseIdleConnections()
			close(server.stopped)
			time.Sleep(2 * budget.Answer)
		})
	}
}

// Handshakes with a dead server that many others overtake take no place from them.
func TestDeadHandshakesHoldUpNoOthers(t *testing.T) {
	authority := newAuthority(t, "authority")
	pair := authority.pair(t, "server")
	for _, mode := range []Mode{KeepConnections, NewConnections} {
		synctest.Test(t, func(t *testing.T) {
			server := newCounter(pair, ms)
			go server.serve()
			budget := Budget{Answer: 10 * time.Second, Mode: mode}.WithDefaults()
			var dials atomic.Int32
			rt := shaken(authority, budget, func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1)%3 > 0 {
					return server.dial(ctx, network, address)
				}
				near, far := net.Pipe()
				go func() {
					_, _ = io.Copy(io.Discard, far)
					_ = far.Close()
				}()
				return near, nil
			})
			const callers, lasts = 20, 8
			a := askForLong(rt, callers, lasts*time.Second)
			t.Logf("figure: a third of the servers dead, %v: %d calls answered, %d failed, %d dials", mode, a.answered.Load(), a.failed.Load(), dials.Load())
			assert.Zero(t, a.failed.Load())
			assert.GreaterOrEqual(t, a.answered.Load(), int64(callers*lasts*2/3))
			rt.CloseIdleConnections()
			close(server.stopped)
			time.Sleep(2 * budget.Answer)
		})
	}
}
