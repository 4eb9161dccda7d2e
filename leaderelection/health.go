package leaderelection

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// HealthzAdaptor makes a health check of an elector that may be made later than
// the check. Its methods may be called from several goroutines at once.
type HealthzAdaptor struct {
	timeout time.Duration

	mu sync.Mutex
	// electors are the one that was set last and, before it, earlier ones whose work
	// had not returned then. It is a pointer since client-go's type can be compared.
	electors *[]*LeaderElector
}

// all returns the electors that are checked; the mutex is held.
func (h *HealthzAdaptor) all() []*LeaderElector {
	if h.electors == nil {
		return nil
	}
	return slices.Clone(*h.electors)
}

// NewLeaderHealthzAdaptor returns a check that fails when guarded work has
// outlived its lease by more than timeout.
func NewLeaderHealthzAdaptor(timeout time.Duration) *HealthzAdaptor {
	return &HealthzAdaptor{timeout: timeout}
}

// Name returns the name of the check.
func (h *HealthzAdaptor) Name() string { return "leaderElection" }

// Check fails when guarded work has outlived its lease (LeaderElector.Check).
// Without an elector it passes.
func (h *HealthzAdaptor) Check(*http.Request) error {
	h.mu.Lock()
	electors := h.all()
	h.mu.Unlock()
	for _, elector := range electors {
		if err := elector.Check(h.timeout); err != nil {
			return err
		}
	}
	return nil
}

// SetLeaderElection makes le the elector that is checked. An earlier one is checked as
// well while its work has not returned: RunOrDie in a loop makes an elector each time.
func (h *HealthzAdaptor) SetLeaderElection(le *LeaderElector) {
	h.mu.Lock()
	defer h.mu.Unlock()
	electors := slices.DeleteFunc(h.all(), func(earlier *LeaderElector) bool { return earlier == le || !earlier.tenure.working() })
	if le != nil {
		electors = append(electors, le)
	}
	h.electors = &electors
}

// ReadyzAdaptor makes a readiness check of an elector that may be made later
// than the check. Its methods may be called from several goroutines at once.
type ReadyzAdaptor struct {
	elector atomic.Pointer[LeaderElector]
}

// NewLeaderReadyzAdaptor returns a check that fails while a leader's term is in
// doubt: its time is over by some clock of the machine, and no renewal has
// settled yet whether it goes on. Candidates, and leaders that know that they
// lead, pass: a standby that is not ready could never be rolled out.
func NewLeaderReadyzAdaptor() *ReadyzAdaptor { return new(ReadyzAdaptor) }

// Name returns the name of the check.
func (r *ReadyzAdaptor) Name() string { return "leaderElectionTerm" }

// Check fails with an error that wraps ErrNotLeader while the term is in doubt,
// and asks for a renewal at once. Without an elector it passes.
func (r *ReadyzAdaptor) Check(*http.Request) error {
	le := r.elector.Load()
	if le == nil {
		return nil
	}
	term := le.Term()
	if term == nil {
		return nil
	}
	if err := term.Err(); err != nil && term.lasts() {
		return err
	}
	return nil
}

// SetLeaderElection makes le the elector that is checked.
func (r *ReadyzAdaptor) SetLeaderElection(le *LeaderElector) { r.elector.Store(le) }

// workOutlivedLease is what a failing check says.
type workOutlivedLease struct {
	lock, name string
	by         time.Duration
}

func (e workOutlivedLease) Error() string {
	return fmt.Sprintf("leader election %q: the work guarded by lease %s still runs, %v after the lease ended", e.name, e.lock, e.by.Round(time.Millisecond))
}

// Check returns an error when OnStartedLeading has not returned although the lease
// ended more than maxTolerableExpiredLease ago, by the fastest of the machine's clocks:
// another may lead by now. The process should then be killed, which is what a liveness
// probe does. When a machine has just been resumed and the term is in doubt, Check
// asks for a renewal at once; if that succeeds, later checks pass.
func (le *LeaderElector) Check(maxTolerableExpiredLease time.Duration) error {
	w := le.tenure.lastWork()
	if w == nil {
		return nil
	}
	select {
	case <-w.done:
		return nil
	default:
	}
	_ = w.term.Err() // asks for a renewal if the term is in doubt
	if outlived := w.term.outlived(le.clock.now()); outlived > maxTolerableExpiredLease {
		return workOutlivedLease{lock: le.lock.Describe(), name: le.config.Name, by: outlived}
	}
	return nil
}
