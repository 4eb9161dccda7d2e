package leaderelection

import (
	"context"
	"fmt"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// resignation is one call of Resign.
type resignation struct {
	// told is closed when the work's context has ended; done receives whether the
	// lease was released.
	told chan struct{}
	done chan error
	// successor is whom it names; empty for nobody.
	successor string
}

// Resign steps down and leaves Run contending: as on cancellation with
// ReleaseOnCancel, the work's context is cancelled, and the lease is released
// when the work has returned. Others then have a moment in which this elector
// does not contend. Who leads next is whom LeaderElectionConfig.Successor names, if
// it is set; ResignTo names one itself.
//
// It returns nil when the lease was released, an error that wraps ErrNotLeader
// when there was no term or it ended otherwise, and ctx's error when ctx ends
// first; the resignation then goes on.
//
// The work itself may resign. Called from its goroutine, or with its context or
// one derived from that, Resign returns nil as soon as the work's context has
// ended, since the release waits for the work to return.
func (le *LeaderElector) Resign(ctx context.Context) error { return le.ResignTo(ctx, "") }

// ResignTo is Resign with the name of who is to lead next: an identity, or all of one
// before an underscore, so that the name of a Pod is enough where identities are
// made as hostname_uuid. The release says whom, and contenders of this library with
// another identity let that one go first, for LeaderElectionConfig.SuccessorWait.
// Then they contend as ever: a successor that is dead, never was, or may not watch
// the Lease costs that moment. client-go's electors wait for nobody.
//
// Nobody is named where successor is empty, this elector's own, or longer than
// resourcelock.MaxSuccessor, where the lock has no place for it (a
// resourcelock.Interface that is not Versioned), or where the API server chooses
// (Coordinated).
func (le *LeaderElector) ResignTo(ctx context.Context, successor string) error {
	term := le.Term()
	if term == nil {
		return fmt.Errorf("resigning from lease %s: %w", le.lock.Describe(), ErrNotLeader)
	}
	r := resignation{told: make(chan struct{}), done: make(chan error, 1), successor: successor}
	select {
	case term.resign <- r:
	case <-term.Done():
		return fmt.Errorf("resigning from lease %s: %w", le.lock.Describe(), ErrNotLeader)
	case <-ctx.Done():
		return bounded.Ended(ctx)
	}
	if le.tenure.calledByWorkOf(ctx, term) {
		<-r.told
		return nil
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return bounded.Ended(ctx)
	}
}
