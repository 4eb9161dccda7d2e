package holdfastprom

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	upstream "k8s.io/client-go/tools/leaderelection"

	"github.com/holdfast-go/holdfast/leaderelection"
)

func TestATermIsShownFromItsBeginningToItsEnd(t *testing.T) {
	network := newNetwork(t)
	metrics, others := New(), New()
	first := prepare(t, network, "one").run(t, metrics)
	require.Equal(t, leaderelection.SuccessionNewLease, next(t, first.began), "the Trace that was there is told as well")
	require.Equal(t, leaderelection.RenewalConfirmed, next(t, first.renewed))
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_leading", "shop"))
	assert.Zero(t, value(t, metrics, "holdfast_in_doubt", "shop"))
	assert.Zero(t, value(t, metrics, "holdfast_leaderless_seconds", "shop"))
	left := value(t, metrics, "holdfast_term_left_seconds", "shop")
	assert.Greater(t, left, 0.)
	assert.LessOrEqual(t, left, 6., "a term is shorter than the lease")
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_terms_begun_total", "new_lease", "shop"))
	renewals := value(t, metrics, "holdfast_renewals_total", "shop", "confirmed")
	assert.GreaterOrEqual(t, renewals, 1.)
	latency := series(t, metrics, "holdfast_renewal_duration_seconds", "shop").GetHistogram()
	assert.GreaterOrEqual(t, float64(latency.GetSampleCount()), renewals)
	assert.Greater(t, latency.GetSampleSum(), 0.)
	assert.NotNil(t, latency.Schema, "a native histogram too")

	second := prepare(t, network, "two").run(t, others)
	assert.Zero(t, value(t, others, "holdfast_leading", "shop"))
	first.stop()
	assert.Equal(t, leaderelection.ReasonReleased, next(t, first.ended))
	assert.Zero(t, value(t, metrics, "holdfast_leading", "shop"))
	assert.Zero(t, value(t, metrics, "holdfast_in_doubt", "shop"))
	assert.Zero(t, value(t, metrics, "holdfast_term_left_seconds", "shop"))
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_terms_ended_total", "shop", "Released"))
	require.Contains(t, []leaderelection.Succession{leaderelection.SuccessionHandover, leaderelection.SuccessionTakeover}, next(t, second.began))
	assert.EqualValues(t, 1, value(t, others, "holdfast_leading", "shop"))
	assert.EqualValues(t, 1, value(t, others, "holdfast_terms_begun_total", "handover", "shop")+
		value(t, others, "holdfast_terms_begun_total", "takeover", "shop"))
}

func TestATermThatMayBeOverIsInDoubt(t *testing.T) {
	c := prepare(t, newNetwork(t), "one")
	asleep := new(atomic.Int64)
	c.config.Clock = suspending{began: time.Now(), asleep: asleep}
	c.config.LeaseDuration = time.Minute // so that only the clock of the machine can end it
	c.config.RenewDeadline = 50 * time.Second
	metrics := New()
	c.run(t, metrics)
	next(t, c.began)
	c.host.Silence()
	asleep.Store(int64(time.Hour))
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_in_doubt", "shop"))
	assert.Zero(t, value(t, metrics, "holdfast_leading", "shop"))
	assert.Zero(t, value(t, metrics, "holdfast_term_left_seconds", "shop"))
	asleep.Store(0)
	c.host.Mend()
	require.Eventually(t, func() bool { return value(t, metrics, "holdfast_leading", "shop") == 1 }, patience, time.Millisecond)
}

func TestTimeWithoutALeaderCountsWhereNoneCanBeSeen(t *testing.T) {
	metrics := New()
	c := prepare(t, newNetwork(t), "one")
	c.host.Silence()
	c.run(t, metrics)
	leaderless := func() float64 { return value(t, metrics, "holdfast_leaderless_seconds", "shop") }
	require.Eventually(t, func() bool { return leaderless() > 0 }, patience, time.Millisecond)
	seen := leaderless()
	assert.Eventually(t, func() bool { return leaderless() > seen }, patience, time.Millisecond)
}

func TestTimeWithoutALeaderIsShownWithRunOrDie(t *testing.T) {
	metrics := New()
	c := prepare(t, newNetwork(t), "one")
	c.host.Silence()
	metrics.Election(&c.config)
	assert.Nil(t, series(t, metrics, "holdfast_leaderless_seconds", "shop"), "what nobody tells is not made up")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		leaderelection.RunOrDie(ctx, c.config)
	}()
	defer func() { cancel(); <-ended }()
	require.Eventually(t, func() bool {
		found := series(t, metrics, "holdfast_leaderless_seconds", "shop")
		return found != nil && found.GetGauge().GetValue() > 0
	}, patience, time.Millisecond)
}

// provider is what client-go's leaderelection takes, as component-base's is.
type provider struct {
	mu   sync.Mutex
	told []string
}

func (p *provider) NewLeaderMetric() upstream.LeaderMetric { return p }
func (p *provider) On(name string)                         { p.tell("on " + name) }
func (p *provider) Off(name string)                        { p.tell("off " + name) }
func (p *provider) SlowpathExercised(name string)          { p.tell("slow " + name) }

func (p *provider) tell(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, what)
}

func (p *provider) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.told...)
}

// once is the provider of this test binary: only the first has an effect.
var once = sync.OnceValue(func() *provider {
	p := new(provider)
	leaderelection.SetProvider(upstream.MetricsProvider(p))
	return p
})

func TestAProviderOfClientGosTypeIsTold(t *testing.T) {
	told := once()
	before := len(told.all())
	c := prepare(t, newNetwork(t), "one")
	c.config.Name = "upstream"
	c.run(t, New())
	next(t, c.began)
	next(t, c.renewed)
	c.stop()
	assert.Equal(t, []string{"off upstream", "on upstream", "off upstream"}, told.all()[before:])
}
