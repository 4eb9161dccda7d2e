package holdfastctrl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/leaderelection"
)

// campaign is the election as a Runnable that always runs: it begins when the
// caches that were there at the start are filled, and the manager waits for it
// before it stops them.
type campaign struct{ m *Manager }

// NeedLeaderElection says that an election does not wait for another.
func (campaign) NeedLeaderElection() bool { return false }

// Start warms the leader-elected Runnables up, contends, and returns when the
// election is over and they have returned, or when they have outlived the lease.
func (c campaign) Start(ctx context.Context) error {
	m := c.m
	ctx = klog.NewContext(ctx, m.GetLogger().WithName("leaderelection"))
	election, conclude := context.WithCancel(ctx)
	defer conclude()
	m.concluded = conclude // before Run, whose goroutines read it
	defer m.group.end()

	if err := m.group.warmUp(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	failure := make(chan error, 1)
	go func() {
		defer close(failure)
		select {
		case err := <-m.group.failed:
			failure <- err
			conclude()
		case <-election.Done():
		}
	}()
	m.elector.Run(election)
	ended := m.ended()
	overdue := m.awaitRunnables(ended)
	conclude()
	failed := <-failure
	m.group.sayLate(ctx)
	switch {
	case overdue != nil:
		m.overdue <- overdue
		return overdue
	case failed != nil:
		return failed
	case ctx.Err() != nil:
		return nil
	default:
		return fmt.Errorf("holdfastctrl: leader election lost: %w", ended)
	}
}

// lead is the work that the term guards. The election is over when the term is, and not
// before: where that resigns, the lease is released only if the election still lasts.
func (m *Manager) lead(ctx context.Context) {
	m.group.lead(ctx, func() { close(m.elected) })
	term, _ := leaderelection.TermFromContext(ctx)
	go func() {
		<-term.Done()
		m.concluded()
	}()
}

// ended returns why the term is over, nil if there was none.
func (m *Manager) ended() *leaderelection.TermEndedError {
	term := m.elector.Term()
	if term == nil {
		return nil
	}
	ended, _ := term.Err().(*leaderelection.TermEndedError)
	return ended
}

// awaitRunnables returns nil when no leader-elected Runnable runs any more, and
// an error that names those that do though the lease is over, so that another may
// lead.
func (m *Manager) awaitRunnables(ended *leaderelection.TermEndedError) error {
	if ended == nil {
		return nil
	}
	patience := time.NewTimer(max(leftOfLease(ended, m.election.LeaseDuration), atOnce(m.election)))
	defer patience.Stop()
	select {
	case <-m.group.returned():
		return nil
	case <-patience.C:
	}
	still := m.group.stillRunning()
	if len(still) == 0 {
		return nil
	}
	return fmt.Errorf("holdfastctrl: leader-elected Runnables still run and the lease is over, the process must exit: %s: %w", strings.Join(still, ", "), ended)
}

// leftOfLease returns for how long nobody else can lead after a term has ended.
// A term that ended because of what the record says leaves nothing.
func leftOfLease(ended *leaderelection.TermEndedError, lease time.Duration) time.Duration {
	switch ended.Reason {
	case leaderelection.ReasonRenewDeadline, leaderelection.ReasonCancelled, leaderelection.ReasonReleased, leaderelection.ReasonResigned:
		return max(0, lease-ended.Since)
	default:
		return 0
	}
}

// atOnce is how long Runnables get to return whatever is left of the lease: they
// are told of the end of the term in this moment, and returning takes one. It is
// as long as the elector waits before it releases a lease that was lost.
func atOnce(c leaderelection.LeaderElectionConfig) time.Duration {
	term := max(c.RenewDeadline, min(c.RenewDeadline+c.RetryPeriod, c.LeaseDuration-c.RetryPeriod))
	return (c.LeaseDuration - term) / 4
}
