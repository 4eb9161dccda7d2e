package holdfastctrl

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/holdfast-go/holdfast/leaderelection"
	holdfastprom "github.com/holdfast-go/holdfast/leaderelection/prometheus"
)

// outlived is how long Runnables may outlive their lease before the health check
// fails. The manager ends by itself before; it does not if the process hangs.
const outlived = 20 * time.Second

// showMetrics makes the election tell the metrics that are chosen what it does.
// It is called before the elector is made.
func showMetrics(election *leaderelection.LeaderElectionConfig, chosen settings) error {
	if chosen.has(FeatureMasterStatus) {
		status, err := masterStatus(metrics.Registry)
		if err != nil {
			return fmt.Errorf("holdfastctrl: %w; Without(FeatureMasterStatus) does without it", err)
		}
		followTerms(election, status.WithLabelValues(election.Name))
	}
	if chosen.has(FeatureMetrics) {
		shown, err := registered(chosen.registerer, holdfastprom.New())
		if err != nil {
			return fmt.Errorf("holdfastctrl: register the metrics: %w; Without(FeatureMetrics) does without them", err)
		}
		shown.Election(election)
	}
	return nil
}

// masterStatus returns the gauge leader_election_master_status of controller-runtime.
// Only client-go's elector can reach it by its provider, but a registry tells
// which collector it has.
func masterStatus(registry prometheus.Registerer) (*prometheus.GaugeVec, error) {
	gauge, err := registered(registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "leader_election_master_status",
		Help: "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master. 'name' is the string used to identify the lease. Please make sure to group by name.",
	}, []string{"name"}))
	if err != nil {
		return nil, fmt.Errorf("find leader_election_master_status: %w", err)
	}
	return gauge, nil
}

// registered registers collector, or returns the one of its kind that has been
// registered before, as by another manager of this process.
func registered[C prometheus.Collector](registerer prometheus.Registerer, collector C) (C, error) {
	err := registerer.Register(collector)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, same := already.ExistingCollector.(C); same {
			return existing, nil
		}
	}
	return collector, err
}

// followTerms sets gauge to 0, to 1 when a term begins and to 0 when it ends.
func followTerms(election *leaderelection.LeaderElectionConfig, gauge prometheus.Gauge) {
	gauge.Set(0)
	var told leaderelection.Trace
	if election.Trace != nil {
		told = *election.Trace
	}
	trace := told
	trace.TermBegan = func(term *leaderelection.Term, how leaderelection.Succession) {
		gauge.Set(1)
		if told.TermBegan != nil {
			told.TermBegan(term, how)
		}
	}
	trace.TermEnded = func(term *leaderelection.Term, ended *leaderelection.TermEndedError) {
		gauge.Set(0)
		if told.TermEnded != nil {
			told.TermEnded(term, ended)
		}
	}
	election.Trace = &trace
}

// showChecks adds the checks that are chosen to inner, and makes them, and those
// that the election brings, ask the elector.
func showChecks(inner manager.Manager, election leaderelection.LeaderElectionConfig, elector *leaderelection.LeaderElector, chosen settings) error {
	alive, ready := election.WatchDog, election.Readiness
	if alive == nil {
		alive = leaderelection.NewLeaderHealthzAdaptor(outlived)
	}
	if ready == nil {
		ready = leaderelection.NewLeaderReadyzAdaptor()
	}
	alive.SetLeaderElection(elector)
	ready.SetLeaderElection(elector)
	if chosen.has(FeatureHealthz) {
		if err := inner.AddHealthzCheck(alive.Name(), alive.Check); err != nil {
			return fmt.Errorf("holdfastctrl: add the health check: %w", err)
		}
	}
	if chosen.has(FeatureReadyz) {
		if err := inner.AddReadyzCheck(ready.Name(), ready.Check); err != nil {
			return fmt.Errorf("holdfastctrl: add the readiness check: %w", err)
		}
	}
	return nil
}
