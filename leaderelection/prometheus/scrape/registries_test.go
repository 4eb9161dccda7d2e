package scrape

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/component-base/metrics/legacyregistry"
	controllerruntime "sigs.k8s.io/controller-runtime/pkg/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gathering adapts a function, as component-base's registry has one.
type gathering = prometheus.GathererFunc

func TestItRegistersWithControllerRuntime(t *testing.T) {
	metrics := lead(t)
	require.NoError(t, controllerruntime.Registry.Register(metrics))
	defer controllerruntime.Registry.Unregister(metrics)
	families := scrape(t, controllerruntime.Registry)
	require.Contains(t, families, "holdfast_connections_opened_total")
	assert.GreaterOrEqual(t, families["holdfast_connections_opened_total"].GetMetric()[0].GetCounter().GetValue(), 1.)
	require.Contains(t, families, "holdfast_leading")
	assert.EqualValues(t, 1, families["holdfast_leading"].GetMetric()[0].GetGauge().GetValue())
}

func TestItRegistersWithComponentBase(t *testing.T) {
	metrics := lead(t)
	require.NoError(t, legacyregistry.Registerer().Register(metrics))
	defer legacyregistry.Registerer().Unregister(metrics)
	families := scrape(t, gathering(legacyregistry.DefaultGatherer.Gather))
	require.Contains(t, families, "holdfast_leading")
	assert.EqualValues(t, 1, families["holdfast_leading"].GetMetric()[0].GetGauge().GetValue())
}
