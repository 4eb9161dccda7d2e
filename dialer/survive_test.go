package dialer_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/resourcelock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two of three servers are dead and the virtual IP goes on naming them: two of
// three dials are never answered. A lock client renews every two seconds within
// its renew deadline of ten, in virtual time, with the real Transport and Dialer.
func TestRenewalsSucceedWithTwoOfThreeServersDead(t *testing.T) {
	const renewals, retryPeriod, ms = 3000, 2 * time.Second, time.Millisecond
	answer := logNormal(8*ms, 0.4)
	for _, mode := range []dialer.Mode{dialer.KeepConnections, dialer.NewConnections} {
		budget, err := resourcelock.Options{
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: retryPeriod, Mode: mode,
		}.Budget()
		require.NoError(t, err)
		for _, c := range []struct {
			name    string
			dials   bool // every renewal dials
			network *memory
		}{
			{"dials vanish", true, &memory{vanish: 2.0 / 3, latency: answer}},
			// On the mean a connection lives for three renewals. In the mode that
			// keeps none, that rarely falls into a request.
			{"dials vanish and connections die", false, &memory{vanish: 2.0 / 3, latency: answer, lifetime: func(r *rand.Rand) time.Duration {
				return time.Duration(r.ExpFloat64() * float64(3*retryPeriod))
			}}},
		} {
			t.Run(mode.String()+", "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c.network.rand = rand.New(rand.NewPCG(3, 4))
					rt := c.network.client(budget)
					defer time.Sleep(time.Second)
					defer rt.CloseIdleConnections()
					var took []time.Duration
					for range renewals {
						if c.dials {
							rt.CloseIdleConnections()
						}
						start := time.Now()
						if err := put(t, rt); err == nil {
							took = append(took, time.Since(start))
						}
						time.Sleep(max(retryPeriod-time.Since(start), 0))
					}
					stats := rt.Stats()
					t.Logf("figure: two of three servers dead, %s, %s: %d of %d renewals within %v; %s; %d hedges, %d siblings, %d connections",
						mode, c.name, len(took), renewals, budget.Answer, spread(took), stats.Hedges, stats.Siblings, stats.Opened)
					assert.GreaterOrEqual(t, float64(len(took))/renewals, 0.999)
					assert.Positive(t, stats.SiblingsWon, "dials did vanish")
				})
			})
		}
	}
}
