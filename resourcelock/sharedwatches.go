package resourcelock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/klog/v2"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/internal/bounded"
)

// A watch that fails is tried again after firstPause, and each time that it fails
// once more after twice as long, up to longestPause. One that lives for as long
// as longestPause begins again with the first.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// A watch on a namespace that was forbidden is tried again after firstAsk, since
// an API server that has just been started may forbid for a moment what it will
// permit, and at last only every lastAsk, since rights are granted rarely. In
// the meantime each Lease is watched by itself.
const (
	firstAsk = time.Second
	lastAsk  = 10 * time.Minute
)

// graceUnknown is the grace where the client is not known to be hardened.
const graceUnknown = 2500 * time.Millisecond

// errNotTogether says that the Leases of a namespace may not be watched as one.
var errNotTogether = errors.New("the namespace may not be watched")

// errEndsAtOnce is what to tell of watches that end well as soon as they have begun.
var errEndsAtOnce = errors.New("the API ends the watch as soon as it has begun")

// sharedWatches are the watches of one client, at most one for each scope. A watch
// starts with its first subscriber and ends with its last.
type sharedWatches struct {
	client coordinationv1client.LeasesGetter
	// opener opens watches; without a bound, an opening takes as long as it takes.
	opener caller
	// grace is how long a watch may come no nearer to what a read has seen, before
	// it counts as dead.
	grace time.Duration

	mu       sync.Mutex
	open     map[scope]*sharedWatch
	failures map[scope]failure
}

// failure is how the last watch of a scope has failed.
type failure struct {
	times  int       // in a row
	until  time.Time // no other before that
	silent bool      // the next is to have a new connection
	err    error
}

// pause returns how long to wait after a failure that came for the n-th time.
func pause(n int, first, longest time.Duration) time.Duration {
	for ; n > 1 && first < longest; n-- {
		first *= 2
	}
	return min(first, longest)
}

// newSharedWatches returns the watches of client. heeds says that what it calls returns
// when its context ends.
func newSharedWatches(client coordinationv1client.LeasesGetter, budget dialer.Budget, heeds bool) *sharedWatches {
	grace := budget.Connect
	if grace <= 0 {
		grace = graceUnknown
	}
	return &sharedWatches{
		client: client, opener: caller{bound: budget.Answer, heeds: heeds}, grace: grace,
		open: map[scope]*sharedWatch{}, failures: map[scope]failure{},
	}
}

// watch tells seen the newest state of l's Lease whenever it is another, until
// ctx or the watch ends. It returns errNotTogether, and has told nothing, when
// the scope is a namespace that may not be watched.
//
// What happened between the read that from comes from and the beginning of the
// subscription is found by reading once the subscription stands. If the watch
// does not deliver what that read has seen within the grace, it is dead, and
// every subscriber is told so.
func (w *sharedWatches) watch(ctx context.Context, l *LeaseLock, scope scope, from Snapshot, seen func(Snapshot)) error {
	s, latest, err := w.join(ctx, scope, l.LeaseMeta.Name, from)
	if err != nil {
		return err
	}
	defer w.leave(s, l.LeaseMeta.Name, latest)
	select {
	case <-s.opened:
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return bounded.Ended(ctx)
	}
	if err := catchUp(ctx, s, latest, l, from); err != nil {
		return fmt.Errorf("watching lease %s: reading what came before: %w", l.Describe(), err)
	}
	for {
		select {
		case <-ctx.Done():
			return bounded.Ended(ctx)
		case <-latest.news:
			if lease, full := latest.take(); full {
				tell(l, lease, seen)
			}
		case <-s.ended:
			if lease, full := latest.take(); full && ctx.Err() == nil {
				tell(l, lease, seen) // posted before the end
			}
			return s.err
		}
	}
}

func catchUp(ctx context.Context, s *sharedWatch, latest *latestLease, l *LeaseLock, from Snapshot) error {
	found := latest.reading()
	state, err := l.Read(ctx)
	switch {
	case err != nil:
		return err
	case !state.Exists():
		if from.Exists() {
			found(0, nil)
		}
		return nil
	case state.unversioned() && from.lease != nil && sameLease(state.lease, from.lease):
		return nil
	}
	version := versionOf(state.ResourceVersion)
	if found(version, state.lease) {
		s.cancel(errBackwards)
		return nil
	}
	s.expect(version)
	return nil
}

// join subscribes to the watch of a scope, which it starts if there is none. If
// the last one has failed, it waits before that, but not beyond the bound.
func (w *sharedWatches) join(ctx context.Context, scope scope, name string, from Snapshot) (*sharedWatch, *latestLease, error) {
	bound := w.opener.bound
	if bound <= 0 {
		bound = longestPause
	}
	for deadline := time.Now().Add(bound); ; {
		s, latest, failed := w.tryJoin(ctx, scope, name, from)
		left := time.Until(deadline)
		switch {
		case s != nil:
			return s, latest, nil
		case left <= 0 || errors.Is(failed.err, errNotTogether):
			return nil, nil, failed.err
		}
		timer := time.NewTimer(min(time.Until(failed.until), left))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, bounded.Ended(ctx)
		}
	}
}

// tryJoin is join for whom does not wait: then it returns how the last watch
// has failed.
func (w *sharedWatches) tryJoin(ctx context.Context, scope scope, name string, from Snapshot) (*sharedWatch, *latestLease, failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, failed := w.open[scope], w.failures[scope]
	if s == nil {
		if time.Now().Before(failed.until) {
			return nil, nil, failed
		}
		s = newSharedWatch(w, scope)
		w.open[scope] = s
		// The watch is everyone's: it must not end with who came first.
		s.start(context.WithoutCancel(ctx), failed.silent)
	}
	return s, s.subscribe(name, from), failure{}
}

// leave ends a subscription, and the watch with the last one.
func (w *sharedWatches) leave(s *sharedWatch, name string, latest *latestLease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.unsubscribe(name, latest) == 0 {
		w.drop(s)
		s.cancel(context.Canceled)
	}
}

// over takes an ended watch off the list, so that the next subscriber starts
// another, and notes whether it has failed. It returns what to tell the
// subscribers.
func (w *sharedWatches) over(ctx context.Context, s *sharedWatch, err error, lived time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	current := w.open[s.scope] == s
	w.drop(s)
	forbidden := s.scope.name == "" && (apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err))
	told := err
	switch {
	case forbidden:
		told = errNotTogether
	case err != nil:
		told = fmt.Errorf("watching %s: %w", s.scope, err)
	}
	known := told
	if known == nil {
		known = fmt.Errorf("watching %s: %w", s.scope, errEndsAtOnce)
	}
	if lived >= longestPause {
		delete(w.failures, s.scope)
	}
	if !current { // the last subscriber has gone, which ended it
		return told
	}
	last := w.failures[s.scope]
	now := time.Now()
	next := failure{times: last.times + 1, silent: errors.Is(err, errSilent), err: known}
	next.until = now.Add(pause(next.times, firstPause, longestPause))
	if forbidden {
		next.until = now.Add(pause(next.times, firstAsk, lastAsk))
		if !errors.Is(last.err, errNotTogether) {
			klog.FromContext(ctx).Info("The Leases of the namespace may not be watched together, so each is watched by name, on a connection of its own", "namespace", s.scope.namespace, "err", err)
		}
	}
	w.forget(now)
	w.failures[s.scope] = next
	return told
}

// forget drops the failures that are too old to matter, so that those of
// namespaces which nobody watches any more do not gather.
func (w *sharedWatches) forget(now time.Time) {
	for scope, f := range w.failures {
		if now.Sub(f.until) > lastAsk {
			delete(w.failures, scope)
		}
	}
}

func (w *sharedWatches) drop(s *sharedWatch) {
	if w.open[s.scope] == s {
		delete(w.open, s.scope)
	}
}
