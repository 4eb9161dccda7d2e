package leaderelection

import (
	"sync"

	upstream "k8s.io/client-go/tools/leaderelection"
)

type (
	// LeaderMetric is told when a contender of a name begins and stops to lead,
	// and when a renewal took the slow path: a write that had to be settled by a
	// read.
	LeaderMetric = upstream.LeaderMetric

	// MetricsProvider makes a LeaderMetric for each elector.
	MetricsProvider = upstream.MetricsProvider
)

var metricsProvider struct {
	once sync.Once
	mu   sync.Mutex
	it   MetricsProvider
}

// SetProvider makes provider the source of the metrics of every elector made
// from then on. Only the first call has an effect. It may be called from any
// goroutine; nil is ignored.
func SetProvider(provider MetricsProvider) {
	if provider == nil {
		return
	}
	metricsProvider.once.Do(func() {
		metricsProvider.mu.Lock()
		defer metricsProvider.mu.Unlock()
		metricsProvider.it = provider
	})
}

// leaderMetricsAdapter calls a LeaderMetric; the zero value calls nothing.
type leaderMetricsAdapter struct{ metric LeaderMetric }

func newLeaderMetrics() leaderMetricsAdapter {
	metricsProvider.mu.Lock()
	defer metricsProvider.mu.Unlock()
	if metricsProvider.it == nil {
		return leaderMetricsAdapter{}
	}
	return leaderMetricsAdapter{metricsProvider.it.NewLeaderMetric()}
}

func (m leaderMetricsAdapter) leaderOn(name string) {
	if m.metric != nil {
		m.metric.On(name)
	}
}

func (m leaderMetricsAdapter) leaderOff(name string) {
	if m.metric != nil {
		m.metric.Off(name)
	}
}

func (m leaderMetricsAdapter) slowpathExercised(name string) {
	if m.metric != nil {
		m.metric.SlowpathExercised(name)
	}
}
