package holdfastctrl_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/holdfast-go/holdfast/leaderelection"
	holdfastctrl "github.com/holdfast-go/holdfast/leaderelection/controllerruntime"
)

// served is an option that has probes served, and where.
func served(t *testing.T) (option func(*manager.Options), url string) {
	t.Helper()
	probes, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, probes.Close())
	address := probes.Addr().String() // free a moment ago
	return func(o *manager.Options) { o.HealthProbeBindAddress = address }, "http://" + address
}

func TestTheElectionIsShown(t *testing.T) {
	s := newStage(t)
	probes, url := served(t)
	both := func(o *manager.Options) { probes(o); o.LeaderElectionID = "shown" }
	var told []leaderelection.Succession
	a := s.replica(t, "a", lasting, both, holdfastctrl.WithElection(func(c *leaderelection.LeaderElectionConfig) {
		c.Trace = &leaderelection.Trace{TermBegan: func(_ *leaderelection.Term, how leaderelection.Succession) { told = append(told, how) }}
	}))
	status := func() float64 { return value(t, metrics.Registry, "leader_election_master_status", "shown") }
	assert.Zero(t, status(), "there before it leads")
	assert.Zero(t, value(t, metrics.Registry, "holdfast_leading", "shown"))
	work := newTask()
	require.NoError(t, a.Add(work))
	a.start(t)
	within(t, work.started, "the work")
	assert.Equal(t, 1., status())
	assert.Equal(t, 1., value(t, metrics.Registry, "holdfast_leading", "shown"))
	assert.Zero(t, value(t, metrics.Registry, "holdfast_leaderless_seconds", "shown"))
	assert.Contains(t, get(t, url+"/healthz?verbose"), "[+]leaderElection ok")
	assert.Contains(t, get(t, url+"/readyz?verbose"), "[+]leaderElectionTerm ok")
	a.stop()
	assert.NoError(t, within(t, a.ended, "the end of a"))
	assert.Zero(t, status())
	assert.Equal(t, []leaderelection.Succession{leaderelection.SuccessionNewLease}, told, "the user's own Trace is told too")
}

func TestWhatIsShownCanBeSwitchedOff(t *testing.T) {
	s := newStage(t)
	probes, url := served(t)
	both := func(o *manager.Options) { probes(o); o.LeaderElectionID = "hidden" }
	a := s.replica(t, "a", lasting, both, holdfastctrl.Without(
		holdfastctrl.FeatureMetrics, holdfastctrl.FeatureMasterStatus, holdfastctrl.FeatureHealthz, holdfastctrl.FeatureReadyz))
	require.NoError(t, a.AddHealthzCheck("own", func(*http.Request) error { return nil }))
	require.NoError(t, a.AddReadyzCheck("own", func(*http.Request) error { return nil }))
	a.start(t)
	within(t, a.Elected(), "a to lead")
	for _, name := range []string{"leader_election_master_status", "holdfast_leading"} {
		assert.Nil(t, series(t, metrics.Registry, name, "hidden"), name)
	}
	for _, check := range []string{"/healthz", "/readyz"} {
		assert.NotContains(t, get(t, url+check+"?verbose"), "leaderElection", check)
	}
}

func TestMetricsAreRegisteredWhereTheUserSays(t *testing.T) {
	s := newStage(t)
	registry := prometheus.NewPedanticRegistry()
	for _, name := range []string{"one", "two"} { // a process may have several managers
		s.replica(t, name, lasting, func(o *manager.Options) { o.LeaderElectionID = "elsewhere-" + name }, holdfastctrl.WithRegisterer(registry))
		assert.Zero(t, value(t, registry, "holdfast_leading", "elsewhere-"+name))
		assert.Nil(t, series(t, metrics.Registry, "holdfast_leading", "elsewhere-"+name))
	}
}

// series returns what the gauge of that name and election stands at, nil where
// there is none.
func series(t *testing.T, from prometheus.Gatherer, name, election string) *float64 {
	t.Helper()
	families, err := from.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			if len(metric.GetLabel()) == 1 && metric.GetLabel()[0].GetName() == "name" && metric.GetLabel()[0].GetValue() == election {
				return metric.GetGauge().Value
			}
		}
	}
	return nil
}

func value(t *testing.T, from prometheus.Gatherer, name, election string) float64 {
	t.Helper()
	found := series(t, from, name, election)
	require.NotNil(t, found, "no %s of %s", name, election)
	return *found
}

// get asks until it is answered well: probes are served a moment after the
// manager has started.
func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	var body strings.Builder
	require.Eventually(t, func() bool {
		answer, err := client.Get(url)
		if err != nil {
			return false
		}
		defer func() { _ = answer.Body.Close() }()
		body.Reset()
		_, err = io.Copy(&body, answer.Body)
		return err == nil && answer.StatusCode == http.StatusOK
	}, patience, 10*time.Millisecond, url)
	return body.String()
}
