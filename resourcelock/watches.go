package resourcelock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/klog/v2"
)

// askAgain is how long a watch on a namespace that was forbidden is not tried
// again: rights are granted rarely.
const askAgain = 10 * time.Minute

// errNotTogether says that the Leases of a namespace may not be watched as one.
var errNotTogether = errors.New("the namespace may not be watched")

// watches are the watches on whole namespaces of one client, at most one for
// each. A watch starts with its first subscriber and ends with its last.
type watches struct {
	client coordinationv1client.LeasesGetter
	// grace is how long a watch may deliver nothing while it is behind a read,
	// before it counts as dead.
	grace time.Duration

	mu      sync.Mutex
	streams map[string]*stream
	refused map[string]time.Time // when a namespace was forbidden
	silent  map[string]bool      // the last watch fell silent: the next is to have a new connection
}

func newWatches(client coordinationv1client.LeasesGetter, grace time.Duration) *watches {
	return &watches{
		client: client, grace: grace,
		streams: map[string]*stream{}, refused: map[string]time.Time{}, silent: map[string]bool{},
	}
}

// watch tells seen the newest state of l's Lease whenever it is another, until
// ctx or the stream ends. It returns errNotTogether, and has told nothing, when
// the namespace may not be watched.
//
// What happened between the read that from comes from and the beginning of the
// subscription is found by reading once the subscription stands. If the stream
// does not deliver what that read has seen within the grace, it is dead, and
// every subscriber is told so.
func (w *watches) watch(ctx context.Context, l *LeaseLock, from Snapshot, seen func(Snapshot)) error {
	s, box := w.join(ctx, l.LeaseMeta.Namespace, l.LeaseMeta.Name)
	if s == nil {
		return errNotTogether
	}
	defer w.leave(s, l.LeaseMeta.Name, box)
	select {
	case <-s.opened:
	case <-s.ended:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := catchUp(ctx, s, box, l, from); err != nil {
		return fmt.Errorf("watching lease %s: reading what came before: %w", l.Describe(), err)
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-box.news:
			if lease, full := box.take(); full {
				tell(l, lease, seen)
			}
		case <-s.ended:
			if lease, full := box.take(); full && ctx.Err() == nil {
				tell(l, lease, seen) // posted before the end
			}
			return s.err
		}
	}
}

func catchUp(ctx context.Context, s *stream, box *mailbox, l *LeaseLock, from Snapshot) error {
	lease, err := l.client().Get(ctx, l.LeaseMeta.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		if from.Exists() {
			box.postAbsent()
		}
		return nil
	case err != nil:
		return err
	}
	version := versionOf(lease.ResourceVersion)
	s.expect(version)
	if lease.ResourceVersion != from.ResourceVersion {
		box.post(version, lease)
	}
	return nil
}

// join subscribes to a namespace's stream, which it starts if there is none. It
// returns nil where that is not allowed.
func (w *watches) join(ctx context.Context, namespace, name string) (*stream, *mailbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if refused, ever := w.refused[namespace]; ever {
		if time.Since(refused) < askAgain {
			return nil, nil
		}
		delete(w.refused, namespace)
	}
	s := w.streams[namespace]
	if s == nil {
		s = newStream(w, namespace)
		w.streams[namespace] = s
		// The stream is everyone's: it must not end with who came first.
		s.start(context.WithoutCancel(ctx), w.silent[namespace])
		delete(w.silent, namespace)
	}
	return s, s.subscribe(name)
}

// leave ends a subscription, and the stream with the last one.
func (w *watches) leave(s *stream, name string, box *mailbox) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.unsubscribe(name, box) == 0 {
		w.drop(s)
		s.cancel(context.Canceled)
	}
}

// over takes an ended stream off the list, so that the next subscriber starts
// another. It returns what to tell the subscribers.
func (w *watches) over(ctx context.Context, s *stream, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(s)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsMethodNotSupported(err):
		if _, known := w.refused[s.namespace]; !known {
			klog.FromContext(ctx).Info("The Leases of the namespace may not be watched together, so each is watched by name, on a connection of its own", "namespace", s.namespace, "err", err)
		}
		w.refused[s.namespace] = time.Now()
		return errNotTogether
	case errors.Is(err, errSilent):
		w.silent[s.namespace] = true
	}
	if err != nil {
		return fmt.Errorf("watching the leases of namespace %s: %w", s.namespace, err)
	}
	return nil
}

func (w *watches) drop(s *stream) {
	if w.streams[s.namespace] == s {
		delete(w.streams, s.namespace)
	}
}
