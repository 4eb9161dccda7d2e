package leaderelection

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/dialer"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// watchAgain is how long a lookout that may not watch waits before it asks
// again: rights are granted rarely.
const watchAgain = 10 * time.Minute

// lookout keeps an observation of the lease up to date: by a watch where the
// lock has one and RBAC allows it, by reads where not, and by a read on a new
// connection when the watch has been silent for longer than renewals should be.
type lookout struct {
	lock   rl.Versioned
	timing timing
	clock  timepiece
	random func() float64
	trace  *Trace
	// changed is called for every new record, in order. It must not block.
	changed func(rl.Snapshot)

	// news says that the observation is another than before.
	news chan struct{}

	mu          sync.Mutex
	observation observation
	// restart ends the watch that is under way; nil while there is none.
	restart context.CancelFunc
	// heard is when the watch delivered something or a read was answered.
	heard instant
	// nextPoll is how long after heard to read, while there is no watch.
	nextPoll time.Duration
	failures int
	failed   instant
	wait     time.Duration
}

func (le *LeaderElector) newLookout(changed func(rl.Snapshot)) *lookout {
	return &lookout{
		lock: le.lock, timing: le.timing, clock: le.clock, random: le.random, trace: le.config.Trace,
		changed: changed, news: make(chan struct{}, 1),
	}
}

func (l *lookout) observed() observation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.observation
}

// see takes in a state at the moment it arrived, and reports whether it was new.
func (l *lookout) see(state rl.Snapshot) bool {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = now
	next, changed := l.observation.next(state, now, l.timing)
	l.observation = next
	if changed {
		l.changed(state)
		select {
		case l.news <- struct{}{}:
		default:
		}
	}
	return changed
}

// readDue returns how long to wait before the next read. It is not positive
// when one is due.
func (l *lookout) readDue(now instant) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures > 0 {
		return l.wait - now.steady(l.failed)
	}
	switch {
	case !l.observation.known:
		return 0
	case l.restart != nil:
		return l.timing.heartbeat() - now.steady(l.heard)
	default:
		return l.nextPoll - now.steady(l.heard)
	}
}

// pausing returns how long the last failure asks to wait.
func (l *lookout) pausing(now instant) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures == 0 {
		return 0
	}
	return l.wait - now.steady(l.failed)
}

// fail notes that a call failed, so that the next waits a little.
func (l *lookout) fail(err error) {
	l.mu.Lock()
	failures := l.failures + 1
	l.mu.Unlock()
	l.failAgain(err, failures)
}

// failAgain notes that a call failed for the n-th time in a row.
func (l *lookout) failAgain(err error, n int) {
	now := l.clock.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = n
	l.failed = now
	l.wait = l.timing.pause(n, l.random(), retryAfter(err))
}

// read asks for the record, for at most bound. With a watch it uses a new
// connection, since it is to find out whether the watch's still lives; a record
// that the watch should have delivered and did not ends that watch.
func (l *lookout) read(ctx context.Context, bound time.Duration) error {
	l.mu.Lock()
	restart, first := l.restart, !l.observation.known
	l.mu.Unlock()
	ctx, cancel := l.clock.within(ctx, bound)
	defer cancel()
	if restart != nil {
		ctx = dialer.FreshConnection(ctx)
	}
	state, err := l.lock.Read(ctx)
	if err != nil {
		return explain(ctx, err)
	}
	changed := l.see(state)
	l.mu.Lock()
	l.failures = 0
	l.nextPoll = l.timing.poll(l.random())
	l.mu.Unlock()
	if changed && !first && restart != nil {
		klog.FromContext(ctx).V(2).Info("The watch of the lease had fallen silent; watching anew")
		restart()
	}
	return nil
}

// follow watches the lease until ctx ends. There must have been a read.
func (l *lookout) follow(ctx context.Context) {
	logger := klog.FromContext(ctx)
	told := false
	for failures := 0; ctx.Err() == nil; {
		began := l.clock.now()
		err := l.watch(ctx, l.observed().snapshot)
		if ctx.Err() != nil || errors.Is(err, errNoWatch) {
			return
		}
		l.trace.watchEnded(err)
		if apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) {
			if !told {
				logger.Info("The lease may not be watched, so it is polled: takeovers and handovers come up to a poll later. Grant the verb watch on it to be told at once", "err", err)
			}
			told = true
			l.clock.sleep(ctx, watchAgain)
			continue
		}
		sayWatchEnded(logger, err)
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			if err := l.read(ctx, l.timing.deadline); err != nil {
				l.fail(err)
			}
		}
		if l.clock.now().steady(began) > l.timing.retry {
			failures = 0 // it lived
		}
		failures++
		l.clock.sleep(ctx, l.timing.pause(failures, l.random(), retryAfter(err)))
	}
}

// watch watches once, from a state on, until the stream ends or a read finds
// that it has fallen silent.
func (l *lookout) watch(ctx context.Context, from rl.Snapshot) error {
	ctx, restart := context.WithCancel(ctx)
	defer restart()
	l.setRestart(restart)
	defer l.setRestart(nil)
	return l.lock.Watch(ctx, from, func(state rl.Snapshot) { l.see(state) })
}

func (l *lookout) setRestart(restart context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restart = restart
}

// retryAfter returns what the server asked to wait (429, 503 with Retry-After).
func retryAfter(err error) time.Duration {
	if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
		return time.Duration(seconds) * time.Second
	}
	return 0
}
