package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-go/holdfast/examples/controller-runtime/elected"
	"github.com/holdfast-go/holdfast/leaderelection"
	holdfastprom "github.com/holdfast-go/holdfast/leaderelection/prometheus"
)

// outlived is how long reconcilers may outlive their lease before /healthz fails
// and the kubelet restarts the container. The manager exits by itself before; it
// does not if the process hangs.
const outlived = 20 * time.Second

// shown is what the world sees of an election: metrics and checks.
type shown struct {
	metrics *holdfastprom.Collector
	watched *holdfastprom.Election
}

func newShown() *shown { return &shown{metrics: holdfastprom.New()} }

// election makes an election tell the metrics what it does.
func (s *shown) election(config *leaderelection.LeaderElectionConfig) {
	s.watched = s.metrics.Election(config)
}

// show adds the metrics to a registry, and to the manager's /healthz and /readyz
// the checks that know of its term.
func (s *shown) show(m *elected.Manager, registry prometheus.Registerer) error {
	s.watched.Watch(m.Elector())
	if err := registry.Register(s.metrics); err != nil {
		return err
	}
	alive, ready := leaderelection.NewLeaderHealthzAdaptor(outlived), leaderelection.NewLeaderReadyzAdaptor()
	alive.SetLeaderElection(m.Elector())
	ready.SetLeaderElection(m.Elector())
	if err := m.AddHealthzCheck(alive.Name(), alive.Check); err != nil {
		return err
	}
	return m.AddReadyzCheck(ready.Name(), ready.Check)
}
