package holdfastprom

import (
	"fmt"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
)

// named returns a config that has no more than a Collector reads.
func named(name string) *leaderelection.LeaderElectionConfig {
	return &leaderelection.LeaderElectionConfig{Name: name}
}

func TestEveryMetricIsThereFromTheFirstScrape(t *testing.T) {
	metrics := New()
	elector := prepare(t, newNetwork(t), "one")
	metrics.Election(&elector.config)
	_, err := leaderelection.NewLeaderElector(elector.config)
	require.NoError(t, err)
	metrics.Meter("lock", new(dialer.Meter))

	problems, err := testutil.CollectAndLint(metrics)
	require.NoError(t, err)
	assert.Empty(t, problems)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(metrics))
	families, err := registry.Gather()
	require.NoError(t, err)
	described := make(chan *prometheus.Desc, 100)
	metrics.Describe(described)
	assert.Len(t, families, len(described), "each metric that is described has a series")
	for _, family := range families {
		assert.NotEmpty(t, family.GetHelp(), family.GetName())
	}
	assert.Error(t, registry.Register(New()), "two in one registry would mix their series")
}

func TestLabelsHaveAFixedSetOfValues(t *testing.T) {
	metrics := New()
	metrics.Election(named("one"))
	alone := testutil.CollectAndCount(metrics)
	for i := range 9 {
		metrics.Election(named(fmt.Sprint("more", i)))
	}
	assert.Equal(t, 10*alone, testutil.CollectAndCount(metrics))
	assert.LessOrEqual(t, alone, 30, "series for each election")
}

func TestForgottenElectionsLeaveNothing(t *testing.T) {
	metrics := New()
	metrics.Election(named("kept"))
	before := testutil.CollectAndCount(metrics)
	config := named("shard-1")
	metrics.Election(config)
	require.Greater(t, testutil.CollectAndCount(metrics), before)
	metrics.Forget("shard-1")
	metrics.Forget("unknown")
	config.Trace.WatchEnded(nil) // a last word of its elector
	assert.Equal(t, before, testutil.CollectAndCount(metrics))
}

func TestASecondCallWithOneConfigCountsNothingTwice(t *testing.T) {
	metrics := New()
	config := named("shop")
	metrics.Election(config)
	once := config.Trace
	metrics.Election(config)
	assert.Same(t, once, config.Trace)
	config.Trace.WatchEnded(nil)
	config.Trace.WatchEnded(fmt.Errorf("gone"))
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_watch_restarts_total", "ended", "shop"))
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_watch_restarts_total", "failed", "shop"))
}

func TestALaterElectorOfANameGoesOnCounting(t *testing.T) {
	metrics := New()
	for range 3 {
		config := named("shop")
		metrics.Election(config)
		config.Trace.WatchEnded(nil)
	}
	assert.EqualValues(t, 3, value(t, metrics, "holdfast_watch_restarts_total", "ended", "shop"))
}

func TestElectionsAreNamedAfterTheirLeaseWhereTheyHaveNoName(t *testing.T) {
	metrics := New()
	config := prepare(t, newNetwork(t), "one").config
	config.Name = ""
	metrics.Election(&config)
	assert.EqualValues(t, 6, value(t, metrics, "holdfast_lease_duration_seconds", "default/shop"))
	assert.NotPanics(t, func() { metrics.Election(named("a\xffb")) })
	assert.Zero(t, value(t, metrics, "holdfast_leading", "a\uFFFDb"))
	assert.NotPanics(t, func() { metrics.Election(named("")) }, "without a Lock there is no name either")
}

func TestScrapesAndElectionsMayCoincide(t *testing.T) {
	metrics := New()
	var all sync.WaitGroup
	for i := range 4 {
		name := fmt.Sprint(i)
		all.Go(func() {
			for range 50 {
				config := named(name)
				metrics.Election(config)
				config.Trace.Renewal(leaderelection.RenewalConfirmed, 1)
				metrics.Forget(name)
			}
		})
		all.Go(func() {
			for range 50 {
				testutil.CollectAndCount(metrics)
			}
		})
	}
	all.Wait()
	assert.Zero(t, testutil.CollectAndCount(metrics))
}
