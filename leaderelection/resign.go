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

// resign has the leader of the term that ctx belongs to resign, the newest one where that
// is none of this elector's, and waits for what became of it.
func (t *tenure) resign(ctx context.Context, successor string) error {
	term := t.of(ctx)
	if term == nil || !term.lasts() {
		return fmt.Errorf("resigning from lease %s: %w", t.lock.Describe(), ErrNotLeader)
	}
	r := resignation{told: make(chan struct{}), done: make(chan error, 1), successor: successor}
	select {
	case term.resign <- r:
	case <-term.Done():
		return fmt.Errorf("resigning from lease %s: %w", t.lock.Describe(), ErrNotLeader)
	case <-ctx.Done():
		return bounded.Ended(ctx)
	}
	if t.calledByWorkOf(ctx, term) {
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
