package resourcelock

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// family is some locks of one factory on an API that notes what is watched.
type family struct {
	locks  []*LeaseLock
	config *rest.Config

	mu      sync.Mutex
	watches []string
}

func newFamily(t *testing.T, n int, forbid func(leaseapi.Request) bool) *family {
	t.Helper()
	f := &family{}
	endpoint, err := leaseapi.NewStore(leaseapi.Options{
		Admit: func(_ context.Context, r leaseapi.Request) error {
			if r.Verb == "watch" {
				f.mu.Lock()
				f.watches = append(f.watches, r.Name)
				f.mu.Unlock()
			}
			if forbid != nil && forbid(r) {
				return r.Forbid()
			}
			return nil
		},
	}).Serve("a")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, endpoint.Close()) })
	f.config = endpoint.Config()
	factory, err := NewFactory(f.config, Options{RenewDeadline: 2 * time.Second})
	require.NoError(t, err)
	for i := range n {
		l, err := factory.Lock(LeasesResourceLock, "default", fmt.Sprint("l", i), ResourceLockConfig{Identity: "me"})
		require.NoError(t, err)
		f.locks = append(f.locks, l.(*LeaseLock))
	}
	return f
}

func (f *family) watched() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.watches...)
}

// subscriber is a Watch under way.
type subscriber struct {
	seen   chan Snapshot
	ended  chan error
	cancel context.CancelFunc
}

func subscribe(t *testing.T, l *LeaseLock, from Snapshot) *subscriber {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &subscriber{seen: make(chan Snapshot, 100), ended: make(chan error, 1), cancel: cancel}
	go func() { s.ended <- l.Watch(ctx, from, func(state Snapshot) { s.seen <- state }) }()
	t.Cleanup(cancel)
	return s
}

func (s *subscriber) next(t *testing.T) Snapshot {
	t.Helper()
	select {
	case state := <-s.seen:
		return state
	case err := <-s.ended:
		require.FailNow(t, "the watch ended", "%v", err)
	case <-time.After(10 * time.Second):
		require.FailNow(t, "nothing was seen")
	}
	return Snapshot{}
}

// until takes states until one with that holder came.
func (s *subscriber) until(t *testing.T, holder string) {
	t.Helper()
	for s.next(t).Record.HolderIdentity != holder {
		continue
	}
}

func (s *subscriber) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(10 * time.Second):
		require.FailNow(t, "the watch did not end")
		return nil
	}
}

func write(t *testing.T, l *LeaseLock, base Snapshot, holder string) Snapshot {
	t.Helper()
	state, err := l.Write(t.Context(), base, Entry{Record: recordOf(holder, time.Second), Duration: time.Second})
	require.NoError(t, err)
	return state
}

func TestLocksOfANamespaceShareOneWatch(t *testing.T) {
	f := newFamily(t, 5, nil)
	var states []Snapshot
	var subscribers []*subscriber
	for _, l := range f.locks {
		states = append(states, write(t, l, Snapshot{}, "a"))
	}
	for i, l := range f.locks {
		subscribers = append(subscribers, subscribe(t, l, states[i]))
	}
	for i, l := range f.locks {
		states[i] = write(t, l, states[i], fmt.Sprint("b", i))
		subscribers[i].until(t, fmt.Sprint("b", i))
	}
	leases := client(t, f.config).CoordinationV1().Leases("default")
	require.NoError(t, leases.Delete(t.Context(), "l3", metav1.DeleteOptions{}))
	for subscribers[3].next(t).Exists() {
		continue
	}
	assert.Equal(t, []string{""}, f.watched(), "one watch, on the whole namespace")
	for _, s := range subscribers {
		s.cancel()
		assert.ErrorIs(t, s.end(t), context.Canceled)
	}
	w := f.locks[0].factory.watches
	w.mu.Lock()
	assert.Empty(t, w.open, "it ended with the last")
	w.mu.Unlock()
	again := subscribe(t, f.locks[0], states[0])
	write(t, f.locks[0], states[0], "c")
	again.until(t, "c")
	assert.Len(t, f.watched(), 2)
}

func TestALoneLockWatchesItsLeaseByName(t *testing.T) {
	f := newFamily(t, 1, nil)
	state := write(t, f.locks[0], Snapshot{}, "a")
	s := subscribe(t, f.locks[0], state)
	write(t, f.locks[0], state, "b")
	s.until(t, "b")
	assert.Equal(t, []string{"l0"}, f.watched())
}

func TestWhatHappenedBeforeTheWatchIsToldToo(t *testing.T) {
	f := newFamily(t, 3, nil)
	old := write(t, f.locks[0], Snapshot{}, "a")
	gone := write(t, f.locks[1], Snapshot{}, "a")
	running := subscribe(t, f.locks[2], Snapshot{})
	write(t, f.locks[2], Snapshot{}, "a")
	running.until(t, "a")
	write(t, f.locks[0], old, "missed")
	require.NoError(t, client(t, f.config).CoordinationV1().Leases("default").Delete(t.Context(), "l1", metav1.DeleteOptions{}))
	subscribe(t, f.locks[0], old).until(t, "missed")
	late := subscribe(t, f.locks[1], gone)
	assert.False(t, late.next(t).Exists())
	assert.Len(t, f.watched(), 1)
}

func TestWhereTheNamespaceMayNotBeWatchedEachLeaseIs(t *testing.T) {
	f := newFamily(t, 3, func(r leaseapi.Request) bool { return r.Verb == "watch" && r.Name == "" })
	for i, l := range f.locks {
		state := write(t, l, Snapshot{}, "a")
		s := subscribe(t, l, state)
		write(t, l, state, "b")
		s.until(t, "b")
		assert.Equal(t, fmt.Sprint("l", i), f.watched()[len(f.watched())-1])
	}
	assert.Len(t, f.watched(), 4, "the namespace was asked for once")
}

func TestWhereNothingMayBeWatchedTheCallerIsTold(t *testing.T) {
	f := newFamily(t, 2, func(r leaseapi.Request) bool { return r.Verb == "watch" })
	for _, l := range f.locks {
		err := l.Watch(t.Context(), Snapshot{}, func(Snapshot) {})
		assert.True(t, apierrors.IsForbidden(err), "%v", err)
	}
	assert.Equal(t, []string{"", "l0", "l1"}, f.watched())
}

func TestASlowSubscriberDelaysNoOtherAndSeesTheNewestState(t *testing.T) {
	f := newFamily(t, 2, nil)
	slow, quick := write(t, f.locks[0], Snapshot{}, "a"), write(t, f.locks[1], Snapshot{}, "a")
	stuck, proceed := make(chan struct{}), make(chan struct{})
	seen := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended, from := make(chan error, 1), slow
	go func() {
		once := sync.OnceFunc(func() { close(stuck); <-proceed })
		ended <- f.locks[0].Watch(ctx, from, func(s Snapshot) { once(); seen <- s.Record.HolderIdentity })
	}()
	other := subscribe(t, f.locks[1], quick)
	slow = write(t, f.locks[0], slow, "first")
	<-stuck
	for _, holder := range []string{"second", "third", ""} {
		slow = write(t, f.locks[0], slow, holder)
	}
	write(t, f.locks[1], quick, "b")
	other.until(t, "b") // came after all of them
	close(proceed)
	<-seen
	assert.Equal(t, "", <-seen, "the release, not what was before")
	cancel()
	<-ended
}

func TestASilentWatchIsFoundOutByAReadAndEverySubscriberIsTold(t *testing.T) {
	store := leaseapi.NewStore(leaseapi.Options{})
	endpoint, err := store.Serve("a")
	require.NoError(t, err)
	defer func() { require.NoError(t, endpoint.Close()) }()
	other, err := store.Serve("b")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	relay := leaseapi.NewRelay(nil, endpoint)
	defer relay.Close()
	host, err := relay.Host("one")
	require.NoError(t, err)
	defer host.Close()
	factory, err := NewFactory(host.Config(), Options{RenewDeadline: 2 * time.Second})
	require.NoError(t, err)
	var locks []*LeaseLock
	for _, name := range []string{"x", "y"} {
		l, err := factory.Lock(LeasesResourceLock, "default", name, ResourceLockConfig{Identity: "me"})
		require.NoError(t, err)
		locks = append(locks, l.(*LeaseLock))
	}
	x, y := write(t, locks[0], Snapshot{}, "a"), write(t, locks[1], Snapshot{}, "a")
	one, two := subscribe(t, locks[0], x), subscribe(t, locks[1], y)
	write(t, locks[0], x, "b")
	one.until(t, "b")
	y = write(t, locks[1], y, "b")
	two.until(t, "b")

	endpoint.Silence()
	relay.Name(other)
	y = write(t, locks[1], y, "c") // by a hedge, on the endpoint that answers
	third := subscribe(t, locks[1], y)
	for _, s := range []*subscriber{one, two, third} {
		assert.ErrorIs(t, s.end(t), errSilent)
	}
	anew := subscribe(t, locks[1], y)
	write(t, locks[1], y, "d")
	anew.until(t, "d")
}
