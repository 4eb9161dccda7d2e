package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/holdfast-go/holdfast/examples/controller-runtime/elected"
	"github.com/holdfast-go/holdfast/examples/controller-runtime/ways"
	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

func TestTheElectionOfAManagerIsShown(t *testing.T) {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("api")
	require.NoError(t, err)
	defer func() { assert.NoError(t, endpoint.Close()) }()
	s, err := parse([]string{"-metrics-address=0", "-health-address=127.0.0.1:0"}, io.Discard)
	require.NoError(t, err)
	options := s.options()
	probes, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, probes.Close())
	options.HealthProbeBindAddress = probes.Addr().String() // free a moment ago

	shown := newShown()
	mgr, err := ways.NewManager(ways.Elector, endpoint.Config(), options, shown.election)
	require.NoError(t, err)
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, shown.show(mgr.(*elected.Manager), registry))
	stop := start(t, mgr)
	defer stop()
	<-mgr.Elected()
	assert.Positive(t, testutil.CollectAndCount(shown.metrics, "holdfast_leaderless_seconds"), "the elector is watched")
	assert.Equal(t, 1., value(t, registry, "holdfast_leading"))
	for check, name := range map[string]string{"healthz": "leaderElection", "readyz": "leaderElectionTerm"} {
		assert.Contains(t, get(t, fmt.Sprintf("http://%s/%s?verbose", probes.Addr(), check)), "[+]"+name+" ok")
	}
}

// value returns what the only series of a gauge stands at.
func value(t *testing.T, from prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := from.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			require.Len(t, family.GetMetric(), 1, name)
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	require.FailNow(t, "no metric "+name)
	return 0
}

// get asks until it is answered well: the probes are served a moment after the
// manager has started.
func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	var body []byte
	require.Eventually(t, func() bool {
		answer, err := client.Get(url)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, err = io.ReadAll(answer.Body)
		return err == nil && answer.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond, url)
	return string(body)
}

// start starts a manager and returns what stops it.
func start(t *testing.T, mgr ctrl.Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	return func() {
		cancel()
		select {
		case err := <-ended:
			assert.NoError(t, err)
		case <-time.After(patience):
			t.Error("Start did not return")
		}
	}
}
