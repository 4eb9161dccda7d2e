package leaderelection

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/internal/bounded"
	"github.com/holdfast-go/holdfast/internal/turn"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// follow watches the lease until ctx ends. There must have been a read. The error
// is what the lock has panicked with, if it has.
func (w *leaseWatcher) follow(ctx context.Context) error {
	logger := klog.FromContext(ctx)
	told, refusals, failures := false, 0, 0
	afresh := false // begin with what is there, since the version known is too old
	for ctx.Err() == nil {
		var from rl.Snapshot
		if !afresh {
			from = w.observed().snapshot
		}
		if wait := w.allowance.due(w.clock.now(), w.timing); wait > 0 {
			w.clock.sleep(ctx, wait)
		}
		began := w.clock.now()
		w.allowance.spend(began, w.timing)
		err := w.watch(ctx, from)
		var panicked *bounded.Panic
		switch {
		case errors.As(err, &panicked):
			return panicked
		case ctx.Err() != nil || errors.Is(err, errNoWatch):
			return nil
		}
		w.trace.watchEnded(err)
		if w.clock.now().monoSince(began) > w.timing.retry {
			refusals, failures = 0, 0 // it lived
		}
		if apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) {
			if !told {
				logger.Info("The lease may not be watched, so it is polled: takeovers and handovers come up to a poll later. Grant the verb watch on it to be told at once", "err", err)
			}
			told = true
			refusals++
			w.clock.sleep(ctx, w.timing.watchBackoff(refusals))
			continue
		}
		logWatchEnded(logger, err)
		afresh = apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
		failures++
		w.clock.sleep(ctx, w.timing.backoff(failures, w.random(), retryAfter(err)))
		for ctx.Err() == nil && w.failing() { // what cannot be read or claimed need not be watched
			w.clock.sleep(ctx, w.timing.retry/4)
		}
	}
	return nil
}

// watch watches once, from a state on, until the stream ends or a read finds
// that it has fallen silent.
func (w *leaseWatcher) watch(ctx context.Context, from rl.Snapshot) error {
	ctx, restart := context.WithCancel(ctx)
	defer restart()
	w.setRestart(restart)
	defer w.setRestart(nil)
	return w.lock.Watch(turn.With(ctx, &turn.Turn{Rank: turn.Looks}), from, func(state rl.Snapshot) {
		if ctx.Err() == nil { // else another watch may tell newer things already
			w.applyEvent(state)
		}
	})
}

func (w *leaseWatcher) setRestart(restart context.CancelFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restart = restart
}
