package scrape

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/leaderelection"
	holdfastprom "github.com/holdfast-go/holdfast/leaderelection/prometheus"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// lead makes a real elector lead over TLS, until the test ends, and returns its
// metrics after its first renewal.
func lead(t *testing.T) *holdfastprom.Collector {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("a")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, endpoint.Close()) })
	meter := new(dialer.Meter)
	hardened, err := dialer.Harden(endpoint.Config(), dialer.Budget{Answer: 4 * time.Second}, dialer.WithMeter(meter))
	require.NoError(t, err)
	client, err := coordinationv1.NewForConfig(hardened)
	require.NoError(t, err)
	lock := &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "shop"}, Client: client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: "one"},
	}
	renewed := make(chan struct{}, 1)
	config := leaderelection.LeaderElectionConfig{
		Lock: lock, Name: "shop", LeaseDuration: 6 * time.Second, RenewDeadline: 4 * time.Second, RetryPeriod: 100 * time.Millisecond,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { <-ctx.Done() }, OnStoppedLeading: func() {},
		},
		Trace: &leaderelection.Trace{Renewal: func(leaderelection.RenewalResult, time.Duration) {
			select {
			case renewed <- struct{}{}:
			default:
			}
		}},
	}
	metrics := holdfastprom.New()
	metrics.Meter("lock", meter)
	metrics.Election(&config)
	elector, err := leaderelection.NewLeaderElector(config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		elector.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	select {
	case <-renewed:
	case <-time.After(patience):
		require.FailNow(t, "no renewal", "within %v", patience)
	}
	return metrics
}

// scrape asks a gatherer over HTTP, as Prometheus does.
func scrape(t *testing.T, gatherer prometheus.Gatherer) map[string]*dto.MetricFamily {
	server := httptest.NewServer(promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, http.StatusOK, response.StatusCode)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(response.Body, 8<<20))
	require.NoError(t, err)
	return families
}

// live is a scrape of a real election, in a registry of its own.
func live(t *testing.T) map[string]*dto.MetricFamily {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(lead(t))
	return scrape(t, registry)
}

// labelsOf returns every label that the series of a family have, with the
// values that each takes.
func labelsOf(family *dto.MetricFamily) map[string]map[string]bool {
	labels := map[string]map[string]bool{}
	for _, metric := range family.GetMetric() {
		for _, label := range metric.GetLabel() {
			if labels[label.GetName()] == nil {
				labels[label.GetName()] = map[string]bool{}
			}
			labels[label.GetName()][label.GetValue()] = true
		}
	}
	return labels
}
