package resourcelock

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/internal/bounded"
)

var (
	// errSilent says that a read has seen what a watch should have delivered and
	// did not.
	errSilent = errors.New("the watch had fallen silent: it did not deliver what a read has seen")
	// errBackwards says that a read has seen an older version than the watch has
	// delivered: the API was restored from a backup, or its servers disagree.
	errBackwards = errors.New("the versions of the Lease have gone backwards")
	// errNotReached says that client-go has given up opening a watch, which it
	// reports as a watch that has ended well.
	errNotReached = errors.New("the API could not be reached")
)

// scope is what one watch is on: all Leases of a namespace, or the one of that name.
type scope struct{ namespace, name string }

func (s scope) String() string {
	if s.name == "" {
		return "the leases of namespace " + s.namespace
	}
	return "lease " + s.namespace + "/" + s.name
}

// options are those of the watch. It begins with the present states, whatever
// their versions: one that begins at a version which the API has forgotten would
// be refused for as long as the Lease does not change.
func (s scope) options() metav1.ListOptions {
	options := metav1.ListOptions{AllowWatchBookmarks: true}
	if s.name != "" { // what RBAC by resourceNames permits
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, s.name).String()
	}
	return options
}

// sharedWatch is one watch and those who listen to it.
type sharedWatch struct {
	watches *sharedWatches
	scope   scope
	cancel  context.CancelCauseFunc
	opened  chan struct{} // closed when the API has accepted the watch
	ended   chan struct{} // closed when it is over; err is why
	err     error

	mu          sync.Mutex
	subscribers map[string][]*latestLease
	count       int
	// since is when the API accepted the watch, zero before.
	since time.Time
	// delivered is the highest version that came, expected the highest that a
	// read has seen. silence runs while the first is behind the second.
	delivered, expected uint64
	silence             *time.Timer
}

func newSharedWatch(w *sharedWatches, scope scope) *sharedWatch {
	return &sharedWatch{
		watches: w, scope: scope,
		opened: make(chan struct{}), ended: make(chan struct{}),
		subscribers: map[string][]*latestLease{},
	}
}

// start watches in the background. The watch ends within the bound of the
// watches if the API does not accept it, however deaf the client is.
func (s *sharedWatch) start(ctx context.Context, fresh bool) {
	ctx, s.cancel = context.WithCancelCause(bounded.Awaited(ctx))
	if fresh {
		ctx = dialer.FreshConnection(ctx)
	}
	go func() {
		var err error
		returned := false
		defer func() {
			if !returned {
				err = bounded.Panicked(recover()) // for those who watch, in whose goroutines it can be recovered
			}
			s.finish(ctx, err)
		}()
		err = s.run(ctx)
		returned = true
	}()
}

// open opens the watch within the bound.
func (s *sharedWatch) open(ctx context.Context) (watch.Interface, error) {
	return within(ctx, &s.watches.opener, func(opening context.Context) (watch.Interface, error) {
		// The end of the bound ends the opening, but not what has been opened.
		life, end := context.WithCancelCause(ctx)
		stop := context.AfterFunc(opening, func() { end(context.Cause(opening)) })
		source, err := s.watches.client.Leases(s.scope.namespace).Watch(life, s.scope.options())
		if err == nil && reflect.TypeOf(source) == reflect.TypeOf(watch.NewEmptyWatch()) {
			err = errNotReached
		}
		if stop() && err == nil {
			return source, nil
		}
		if source != nil {
			source.Stop()
		}
		end(nil)
		if why := context.Cause(opening); why != nil {
			err = fmt.Errorf("%w: %v", why, err) // the end of a context, but not of the caller's
		}
		return nil, err
	})
}

func (s *sharedWatch) run(ctx context.Context) error {
	source, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer source.Stop()
	s.mu.Lock()
	s.since = time.Now()
	s.mu.Unlock()
	close(s.opened)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case event, open := <-source.ResultChan():
			if !open {
				return nil
			}
			if event.Type == watch.Error {
				return apierrors.FromObject(event.Object)
			}
			s.take(event)
		}
	}
}

// finish ends the watch and tells everyone why.
func (s *sharedWatch) finish(ctx context.Context, err error) {
	s.mu.Lock()
	if s.silence != nil {
		s.silence.Stop()
	}
	var lived time.Duration
	if !s.since.IsZero() {
		lived = time.Since(s.since)
	}
	s.mu.Unlock()
	s.err = s.watches.over(ctx, s, err, lived)
	s.cancel(nil)
	close(s.ended)
}

// take passes an event on to those who listen for its Lease.
func (s *sharedWatch) take(event watch.Event) {
	lease, isLease := event.Object.(*coordinationv1.Lease)
	if !isLease {
		return
	}
	version := versionOf(lease.ResourceVersion)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered = max(s.delivered, version)
	if event.Type == watch.Bookmark {
		return
	}
	name := lease.Name
	if event.Type == watch.Deleted {
		lease = nil
	}
	for _, latest := range s.subscribers[name] {
		latest.post(version, lease)
	}
}

// expect notes that a read has seen a version, which the watch must deliver. A
// watch that comes no nearer to it within the grace is given up.
func (s *sharedWatch) expect(version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected = max(s.expected, version)
	s.attend()
}

// attend looks again after the grace if the watch is behind.
func (s *sharedWatch) attend() {
	if s.silence != nil || s.delivered >= s.expected {
		return
	}
	before := s.delivered
	s.silence = time.AfterFunc(s.watches.grace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.silence = nil
		if s.delivered < s.expected && s.delivered == before {
			s.cancel(errSilent)
			return
		}
		s.attend()
	})
}

// subscribe adds a reader of the Lease of that name, who knows the state from.
func (s *sharedWatch) subscribe(name string, from Snapshot) *latestLease {
	s.mu.Lock()
	defer s.mu.Unlock()
	latest := newLatestLease(from)
	s.subscribers[name] = append(s.subscribers[name], latest)
	s.count++
	return latest
}

// unsubscribe returns how many subscribers are left.
func (s *sharedWatch) unsubscribe(name string, latest *latestLease) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.subscribers[name], func(b *latestLease) bool { return b == latest })
	if len(left) == 0 {
		delete(s.subscribers, name)
	} else {
		s.subscribers[name] = left
	}
	s.count--
	return s.count
}
