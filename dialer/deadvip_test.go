package dialer_test

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/resourcelock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// One lock whose virtual IP leads nowhere, for thirty seconds of virtual time.
func TestDeadVirtualIPIsDialledByFew(t *testing.T) {
	budget, err := resourcelock.Options{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}.Budget()
	require.NoError(t, err)
	for name, client := range map[string]func(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) http.RoundTripper{
		"a Dialer below a Transport": func(_ *testing.T, dial func(context.Context, string, string) (net.Conn, error)) http.RoundTripper {
			d := &dialer.Dialer{Connect: budget.Connect, Hedge: budget.DialHedge, Silence: -1, Dial: dial}
			return &dialer.Transport{Budget: budget, Base: &http.Transport{DialContext: d.DialContext}}
		},
		"a hardened config": func(t *testing.T, dial func(context.Context, string, string) (net.Conn, error)) http.RoundTripper {
			hardened, err := dialer.Harden(&rest.Config{Host: "http://192.0.2.1", Dial: dial}, budget)
			require.NoError(t, err)
			rt, err := rest.TransportFor(hardened)
			require.NoError(t, err)
			return rt
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dials, underway, most atomic.Int64
				rt := client(t, func(ctx context.Context, _, _ string) (net.Conn, error) {
					dials.Add(1)
					most.Store(max(most.Load(), underway.Add(1)))
					defer underway.Add(-1)
					<-ctx.Done()
					return nil, ctx.Err()
				})
				start := time.Now()
				for range 3 {
					require.Error(t, put(t, rt))
				}
				require.Equal(t, 30*time.Second, time.Since(start))
				t.Logf("figure: dead virtual IP, %s: %d dials in 30s, %d at once", name, dials.Load(), most.Load())
				assert.LessOrEqual(t, most.Load(), int64(8))
				pace := int64(budget.Answer/budget.DialHedge) + 1 // the last one is due as the call ends
				assert.LessOrEqual(t, dials.Load(), 3*pace, "one each %v", budget.DialHedge)
				synctest.Wait()
				assert.Zero(t, underway.Load())
			})
		})
	}
}

// net.Dialer tries one address of a name after the other and gives each two
// seconds at least. Whoever brings it as his own dial connects all the same.
func TestOwnDialHasTheTimeForItsSecondAddress(t *testing.T) {
	const perAddress = 3 * time.Second
	for name, harden := range map[string]func(*rest.Config) (*rest.Config, error){
		"lock": func(c *rest.Config) (*rest.Config, error) {
			return dialer.Harden(c, dialer.Budget{Answer: 6 * time.Second})
		},
		"traffic": func(c *rest.Config) (*rest.Config, error) { return dialer.HardenTraffic(c, 6*time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &memory{latency: func(*rand.Rand) time.Duration { return time.Millisecond }, rand: rand.New(rand.NewPCG(1, 2))}
				var dials atomic.Int64
				hardened, err := harden(&rest.Config{Host: "http://192.0.2.1", Dial: func(ctx context.Context, n, address string) (net.Conn, error) {
					dials.Add(1)
					select {
					case <-time.After(perAddress): // the first is dead
						return network.dial(ctx, n, address)
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}})
				require.NoError(t, err)
				rt, err := rest.TransportFor(hardened)
				require.NoError(t, err)
				start := time.Now()
				require.NoError(t, put(t, rt))
				assert.Less(t, time.Since(start), perAddress+time.Second)
				t.Logf("figure: own dial, first of two addresses dead, %s: %d dials", name, dials.Load())
				// One for each attempt that the budget of one call has room for. How many
				// there are depends on how hedges and dials fall in with each other.
				assert.LessOrEqual(t, dials.Load(), int64(24))
				utilnet.CloseIdleConnectionsFor(rt)
				time.Sleep(time.Minute) // virtual: late dials and the server end
			})
		})
	}
}
