package resourcelock

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/holdfast-go/holdfast/dialer"
)

// errSilent says that a read has seen what a watch should have delivered and
// did not.
var errSilent = errors.New("the watch had fallen silent: it did not deliver what a read has seen")

// stream is one watch on all Leases of a namespace and those who listen to it.
type stream struct {
	watches   *watches
	namespace string
	cancel    context.CancelCauseFunc
	opened    chan struct{} // closed when the API has accepted the watch
	ended     chan struct{} // closed when it is over; err is why
	err       error

	mu          sync.Mutex
	subscribers map[string][]*mailbox
	count       int
	// delivered is the highest version that came, expected the highest that a
	// read has seen. silence runs while the first is behind the second; events
	// counts what came, to tell a stream that lags from a silent one.
	delivered, expected uint64
	events              int
	silence             *time.Timer
}

func newStream(w *watches, namespace string) *stream {
	return &stream{
		watches: w, namespace: namespace,
		opened: make(chan struct{}), ended: make(chan struct{}),
		subscribers: map[string][]*mailbox{},
	}
}

// start watches in the background. The watch begins with the present states,
// which makes a version too old for the API impossible.
func (s *stream) start(ctx context.Context, fresh bool) {
	ctx, s.cancel = context.WithCancelCause(ctx)
	if fresh {
		ctx = dialer.FreshConnection(ctx)
	}
	go func() {
		err := s.run(ctx)
		s.mu.Lock()
		if s.silence != nil {
			s.silence.Stop()
		}
		s.mu.Unlock()
		s.err = s.watches.over(ctx, s, err)
		s.cancel(nil)
		close(s.ended)
	}()
}

func (s *stream) run(ctx context.Context) error {
	source, err := s.watches.client.Leases(s.namespace).Watch(ctx, metav1.ListOptions{AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer source.Stop()
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

// take passes an event on to those who listen for its Lease.
func (s *stream) take(event watch.Event) {
	lease, isLease := event.Object.(*coordinationv1.Lease)
	if !isLease {
		return
	}
	version := versionOf(lease.ResourceVersion)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered = max(s.delivered, version)
	s.events++
	if event.Type == watch.Bookmark {
		return
	}
	name := lease.Name
	if event.Type == watch.Deleted {
		lease = nil
	}
	for _, box := range s.subscribers[name] {
		box.post(version, lease)
	}
}

// expect notes that a read has seen a version, which the stream must deliver. A
// stream that delivers nothing within the grace while it is behind is given up.
func (s *stream) expect(version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected = max(s.expected, version)
	s.attend()
}

// attend looks again after the grace if the stream is behind.
func (s *stream) attend() {
	if s.silence != nil || s.delivered >= s.expected {
		return
	}
	before := s.events
	s.silence = time.AfterFunc(s.watches.grace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.silence = nil
		if s.delivered < s.expected && s.events == before {
			s.cancel(errSilent)
			return
		}
		s.attend()
	})
}

func (s *stream) subscribe(name string) *mailbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	box := newMailbox()
	s.subscribers[name] = append(s.subscribers[name], box)
	s.count++
	return box
}

// unsubscribe returns how many subscribers are left.
func (s *stream) unsubscribe(name string, box *mailbox) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.subscribers[name], func(b *mailbox) bool { return b == box })
	if len(left) == 0 {
		delete(s.subscribers, name)
	} else {
		s.subscribers[name] = left
	}
	s.count--
	return s.count
}
