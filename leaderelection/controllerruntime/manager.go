package holdfastctrl

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// Manager is a manager.Manager whose leader-elected Runnables run under
// Holdfast's elector. Whatever takes a manager.Manager takes it, the builder of
// controllers included. Its methods may be called from several goroutines.
type Manager struct {
	manager.Manager
	election leaderelection.LeaderElectionConfig
	elector  *leaderelection.LeaderElector
	group    *group
	elected  chan struct{}
	started  atomic.Bool
	// overdue receives why Start is to return before the graceful shutdown.
	overdue chan error
	// concluded ends the election when the one term that there is has ended.
	concluded context.CancelFunc
}

var _ manager.Manager = (*Manager)(nil)

// New returns inner, which must have been made without LeaderElection, with its
// leader-elected Runnables under an elector of the given configuration. They
// must be added to the Manager that is returned, not to inner.
//
// OnStartedLeading must be nil, since the Runnables are what is guarded;
// OnNewLeader and OnStoppedLeading are called as the elector does. ContendAgain
// must be false. The error names the field, its value and what it must be.
// FeatureTraffic is for NewManager only: inner is what it is.
func New(inner manager.Manager, election leaderelection.LeaderElectionConfig, options ...Option) (*Manager, error) {
	chosen, err := choose(options)
	if err != nil {
		return nil, err
	}
	for _, change := range chosen.change {
		change(&election)
	}
	switch {
	case inner == nil:
		return nil, errors.New("holdfastctrl: inner is nil: it must be a manager.Manager made without LeaderElection")
	case election.Callbacks.OnStartedLeading != nil:
		return nil, errors.New("holdfastctrl: Callbacks.OnStartedLeading is set: it must be nil, add a Runnable instead")
	case election.ContendAgain:
		return nil, errors.New("holdfastctrl: ContendAgain is true: it must be false, a controller cannot be started twice")
	}
	m := &Manager{
		Manager: inner, group: newGroup(), elected: make(chan struct{}), overdue: make(chan error, 1), concluded: func() {},
	}
	election.Callbacks.OnStartedLeading = m.lead
	if election.Callbacks.OnStoppedLeading == nil {
		election.Callbacks.OnStoppedLeading = func() {}
	}
	if err := showMetrics(&election, chosen); err != nil {
		return nil, err
	}
	elector, err := leaderelection.NewLeaderElector(election)
	if err != nil {
		return nil, fmt.Errorf("holdfastctrl: %w", err)
	}
	m.election, m.elector = election, elector
	if err := showChecks(inner, election, elector, chosen); err != nil {
		return nil, err
	}
	return m, nil
}

// Elector returns the elector, for its Status, Term and Observe. Resign hands
// over too, and then ends Start with an error, as any end of the term does.
func (m *Manager) Elector() *leaderelection.LeaderElector { return m.elector }

// Elected returns a channel that is closed when this process leads and its
// leader-elected Runnables have been started.
func (m *Manager) Elected() <-chan struct{} { return m.elected }

// GetControllerOptions returns the options that controllers of this Manager
// begin with: inner's, and EnableWarmup unless that is set.
func (m *Manager) GetControllerOptions() config.Controller {
	options := m.Manager.GetControllerOptions()
	if options.EnableWarmup == nil {
		options.EnableWarmup = ptr.To(true)
	}
	return options
}

// Add adds r to what runs while this process leads, or to what always runs, by
// the rules of manager.Manager. After the end of the term it is an error to add
// what needs leader election.
func (m *Manager) Add(r manager.Runnable) error {
	if needsLeaderElection(r) {
		return m.group.add(r)
	}
	return m.Manager.Add(r)
}

// needsLeaderElection reports whether manager.Manager would run r only while it
// leads. Clusters and webhook servers always run, whatever they say; others do
// if they say so.
func needsLeaderElection(r manager.Runnable) bool {
	if server, ok := r.(*manager.Server); ok {
		return server.NeedLeaderElection()
	}
	if _, ok := r.(interface{ GetCache() cache.Cache }); ok {
		return false
	}
	if _, ok := r.(webhook.Server); ok {
		return false
	}
	says, ok := r.(manager.LeaderElectionRunnable)
	return !ok || says.NeedLeaderElection()
}

// Start runs the manager until ctx ends, the term does, or a Runnable fails. It
// may be called once. The error of a term that was lost wraps
// *leaderelection.TermEndedError, and so leaderelection.ErrNotLeader. When it
// returns the process should exit.
func (m *Manager) Start(ctx context.Context) error {
	if !m.started.CompareAndSwap(false, true) {
		return errors.New("holdfastctrl: the manager has been started: it can be started once")
	}
	if err := m.Manager.Add(campaign{m}); err != nil {
		return fmt.Errorf("holdfastctrl: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- m.Manager.Start(ctx) }()
	select {
	case err := <-done:
		return err
	case err := <-m.overdue:
		return err
	}
}
