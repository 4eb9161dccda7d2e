package leaderelection

import (
	"context"

	"github.com/holdfast-go/holdfast/dialer"
)

// settle waits for the renewal under way, so that nothing of this term is still
// on its way from here. It leaves it a tenth of the retry period, within ctx, to be
// answered: cancelled at once it would take its connection with it, and leave it
// to be read what it has written, and the release would wait for both.
func (l *leadership) settle(ctx context.Context, stopRenewing context.CancelFunc) {
	if !l.renewing {
		return
	}
	patience, cancel := l.le.clock.within(ctx, l.le.timing.retry/10)
	defer cancel()
	defer context.AfterFunc(patience, stopRenewing)()
	o := <-l.renewals
	l.renewing, l.state = false, o.state
}

// giveUp releases the lease, and returns nil if it is known to be released, or
// to be no longer ours. It takes no longer than the retry period or what was
// left of the term.
func (l *leadership) giveUp(ctx context.Context, stopRenewing context.CancelFunc) error {
	le := l.le
	bound := min(l.term.rest(le.clock.now()), le.timing.retry)
	ctx, cancel := le.clock.within(context.WithoutCancel(ctx), bound)
	defer cancel()
	l.settle(ctx, stopRenewing)
	for failures := 1; ; failures++ {
		entry := le.writes.release(l.state.Record, le.clock.now())
		_, err := le.lock.Write(ctx, l.state, entry)
		if err == nil {
			le.reportReleased()
			return nil
		}
		if ctx.Err() != nil {
			return explain(ctx, err)
		}
		state, readErr := le.lock.Read(dialer.FreshConnection(ctx))
		if readErr == nil {
			if _, ours := le.writes.find(state); !ours {
				if (sentWrite{entry: entry}).left(state) || state.Record.HolderIdentity != le.lock.Identity() {
					return nil // released, or no longer ours to release
				}
				return err
			}
			l.state = state
		}
		le.clock.sleep(ctx, le.timing.pause(failures, le.random(), retryAfter(err)))
	}
}
