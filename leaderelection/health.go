package leaderelection

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// HealthzAdaptor makes a health check of an elector that may be made later than
// the check. Its methods may be called from several goroutines at once.
type HealthzAdaptor struct {
	mu      sync.Mutex
	elector *LeaderElector
	timeout time.Duration
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
	elector := h.elector
	h.mu.Unlock()
	if elector == nil {
		return nil
	}
	return elector.Check(h.timeout)
}

// SetLeaderElection makes le the elector that is checked.
func (h *HealthzAdaptor) SetLeaderElection(le *LeaderElector) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.elector = le
}

// workOutlivedLease is what a failing check says.
type workOutlivedLease struct {
	lock, name string
	by         time.Duration
}

func (e workOutlivedLease) Error() string {
	return fmt.Sprintf("leader election %q: the work guarded by lease %s still runs, %v after the lease ended", e.name, e.lock, e.by.Round(time.Millisecond))
}
