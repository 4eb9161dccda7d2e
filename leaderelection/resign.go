package leaderelection

import (
	"context"
	"fmt"
)

// resignation is one call of Resign.
type resignation struct {
	// told is closed when the work's context has ended; done receives whether the
	// lease was released.
	told chan struct{}
	done chan error
}

// Resign steps down and leaves Run contending: as on cancellation with
// ReleaseOnCancel, the work's context is cancelled, and the lease is released
// when the work has returned. Others then have a moment in which this elector
// does not contend.
//
// It returns nil when the lease was released, an error that wraps ErrNotLeader
// when there was no term or it ended otherwise, and ctx's error when ctx ends
// first; the resignation then goes on.
//
// The work itself may resign. Called from its goroutine, or with its context or
// one derived from that, Resign returns nil as soon as the work's context has
// ended, since the release waits for the work to return.
func (le *LeaderElector) Resign(ctx context.Context) error {
	term := le.Term()
	if term == nil {
		return fmt.Errorf("resigning from lease %s: %w", le.lock.Describe(), ErrNotLeader)
	}
	r := resignation{told: make(chan struct{}), done: make(chan error, 1)}
	select {
	case term.resign <- r:
	case <-term.Done():
		return fmt.Errorf("resigning from lease %s: %w", le.lock.Describe(), ErrNotLeader)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if le.calledByWorkOf(ctx, term) {
		<-r.told
		return nil
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// calledByWorkOf reports whether the caller is the work of term.
func (le *LeaderElector) calledByWorkOf(ctx context.Context, term *Term) bool {
	if ctx.Value(termOfKey{le}) == term {
		return true
	}
	le.mu.Lock()
	w := le.work
	le.mu.Unlock()
	if w == nil || w.term != term {
		return false
	}
	name := w.goroutine.Load()
	return name != nil && *name == goroutine()
}
