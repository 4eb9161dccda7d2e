package leaderelection

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// follow watches the lease until ctx ends. There must have been a read. The error
// is what the lock has panicked with, if it has.
func (l *lookout) follow(ctx context.Context) error {
	logger := klog.FromContext(ctx)
	told, refusals, failures := false, 0, 0
	afresh := false // begin with what is there, since the version known is too old
	for ctx.Err() == nil {
		var from rl.Snapshot
		if !afresh {
			from = l.observed().snapshot
		}
		if wait := l.allowance.due(l.clock.now(), l.timing); wait > 0 {
			l.clock.sleep(ctx, wait)
		}
		began := l.clock.now()
		l.allowance.spend(began, l.timing)
		err := l.watch(ctx, from)
		var panicked *bounded.Panic
		switch {
		case errors.As(err, &panicked):
			return panicked
		case ctx.Err() != nil || errors.Is(err, errNoWatch):
			return nil
		}
		l.trace.watchEnded(err)
		if l.clock.now().steady(began) > l.timing.retry {
			refusals, failures = 0, 0 // it lived
		}
		if apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) {
			if !told {
				logger.Info("The lease may not be watched, so it is polled: takeovers and handovers come up to a poll later. Grant the verb watch on it to be told at once", "err", err)
			}
			told = true
			refusals++
			l.clock.sleep(ctx, l.timing.refused(refusals))
			continue
		}
		sayWatchEnded(logger, err)
		afresh = apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
		failures++
		l.clock.sleep(ctx, l.timing.pause(failures, l.random(), retryAfter(err)))
		for ctx.Err() == nil && l.troubled() { // what cannot be read or claimed need not be watched
			l.clock.sleep(ctx, l.timing.retry/4)
		}
	}
	return nil
}

// watch watches once, from a state on, until the stream ends or a read finds
// that it has fallen silent.
func (l *lookout) watch(ctx context.Context, from rl.Snapshot) error {
	ctx, restart := context.WithCancel(ctx)
	defer restart()
	l.setRestart(restart)
	defer l.setRestart(nil)
	return l.lock.Watch(ctx, from, func(state rl.Snapshot) {
		if ctx.Err() == nil { // else another watch may tell newer things already
			l.deliver(state)
		}
	})
}

func (l *lookout) setRestart(restart context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restart = restart
}
