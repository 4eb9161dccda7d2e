package holdfastctrl

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// Feature is what New and NewManager set up beside the election itself. All of
// them are on; Without switches them off.
type Feature string

const (
	// FeatureTraffic drops connections of the manager's caches and clients that
	// have been silent for RenewDeadline: NewManager makes the manager with
	// dialer.HardenTraffic of its config.
	FeatureTraffic Feature = "traffic"
	// FeatureMetrics registers the metrics of package holdfastprom, which carry
	// LeaderElectionID as the label name.
	FeatureMetrics Feature = "metrics"
	// FeatureMasterStatus sets controller-runtime's own metric
	// leader_election_master_status as client-go's elector does: 1 during a term, 0
	// before and after.
	FeatureMasterStatus Feature = "master status"
	// FeatureHealthz adds the health check leaderElection, which fails when a
	// leader-elected Runnable has outlived its lease by 20 s, so that the kubelet
	// restarts the container. It is LeaderElectionConfig.WatchDog where that is set.
	FeatureHealthz Feature = "healthz"
	// FeatureReadyz adds the readiness check leaderElectionTerm, which fails while
	// the term is in doubt. It is LeaderElectionConfig.Readiness where that is set.
	FeatureReadyz Feature = "readyz"
)

var features = []Feature{FeatureTraffic, FeatureMetrics, FeatureMasterStatus, FeatureHealthz, FeatureReadyz}

// Option changes what New and NewManager set up. See Without, WithElection and
// WithRegisterer.
type Option func(*settings)

// settings are what the options say.
type settings struct {
	without    []Feature
	change     []func(*leaderelection.LeaderElectionConfig)
	registerer prometheus.Registerer
}

// Without switches features off.
func Without(features ...Feature) Option {
	return func(s *settings) { s.without = append(s.without, features...) }
}

// WithElection has change called with the election when it is complete, for what
// manager.Options cannot say, such as a Trace, callbacks or a WatchDog.
func WithElection(change func(*leaderelection.LeaderElectionConfig)) Option {
	return func(s *settings) { s.change = append(s.change, change) }
}

// WithRegisterer has the metrics of FeatureMetrics registered there, and not with
// controller-runtime's metrics.Registry.
func WithRegisterer(registerer prometheus.Registerer) Option {
	return func(s *settings) { s.registerer = registerer }
}

// choose returns what the options say, or an error that names the feature that
// there is not.
func choose(options []Option) (settings, error) {
	chosen := settings{registerer: metrics.Registry}
	for _, option := range options {
		option(&chosen)
	}
	for _, f := range chosen.without {
		if !slices.Contains(features, f) {
			return settings{}, fmt.Errorf("holdfastctrl: Without: there is no feature %q: must be one of %q", f, features)
		}
	}
	return chosen, nil
}

func (s settings) has(f Feature) bool { return !slices.Contains(s.without, f) }
