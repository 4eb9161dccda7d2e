package leaderelection

import (
	"context"
	"errors"
)

// finish releases the lease where that is to be and may be, once all the world
// has been told that the term is over, and tells those who have resigned.
func (l *leadership) finish(ctx context.Context) {
	defer l.tellResigned(errPanicked) // whom nothing else has told
	ended := l.term.ending()
	switch {
	case ended == l.stopReason && l.release:
		began := l.election.clock.now()
		successor := l.successor(ctx)
		// The wait for the renewal under way had a tenth of the retry period.
		now := l.election.clock.now()
		bound := min(l.term.rest(now), l.election.timing.retry-l.election.timing.retry/10-now.monoSince(began))
		l.tellResigned(l.released(l.election.giveUp(ctx, l.state, false, successor, bound)))
	case ended == l.stopReason:
		if l.notReleased != nil {
			_ = l.released(l.notReleased)
		}
		l.tellResigned(l.notReleased)
	default:
		if l.config.releaseOnCancel && ended.Reason.ending().mayStillHold && !l.returnedEarly {
			l.releaseLost(ctx)
		}
		l.tellResigned(ended)
	}
}

// releaseLost releases the lease after a term that was lost, if its work has
// returned when it was told to and the record is still ours. It waits for the work no
// longer than a quarter of the time that work has to stop, nor than StopTimeout, and is
// over before the lease is.
func (l *leadership) releaseLost(ctx context.Context) {
	timing, patience := l.timing, l.config.stopTimeout
	if l.stopReason != nil {
		patience -= l.election.clock.now().monoSince(l.stopRequested)
	}
	moment := l.election.clock.NewTimer(max(0, min((timing.lease-timing.term())/4, patience)))
	defer moment.Stop()
	select {
	case <-l.workDone():
	case <-moment.C():
		return
	}
	rest := timing.lease - l.election.clock.now().monoSince(l.term.lastSent())
	if bound := min(rest, timing.retry); bound > 0 {
		_ = l.released(l.election.giveUp(ctx, l.state, true, "", bound))
	}
}

// workDone returns a channel that is closed when there is no work that has not
// returned.
func (l *leadership) workDone() <-chan struct{} {
	if l.work != nil {
		return l.work.done
	}
	none := make(chan struct{})
	close(none)
	return none
}

// tellResigned tells those who have resigned whether the lease was released.
func (l *leadership) tellResigned(err error) {
	for _, r := range l.resigned {
		r.done <- err
	}
	l.resigned = nil
}

// released logs what became of a release, and returns it.
func (l *leadership) released(err error) error {
	switch {
	case err == nil:
		l.logger.Info("Released the lease")
	case errors.Is(err, l.notReleased):
		l.logger.Info("Did not release the lease", "err", err)
	default:
		l.logger.Error(err, "Could not release the lease; it runs out")
	}
	return err
}
