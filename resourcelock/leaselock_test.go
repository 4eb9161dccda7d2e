package resourcelock

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

func recordOf(holder string, lease time.Duration) LeaderElectionRecord {
	return LeaderElectionRecord{
		HolderIdentity: holder, LeaseDurationSeconds: WholeSeconds(lease),
		AcquireTime: metav1.NewTime(epoch), RenewTime: metav1.NewTime(epoch.Add(time.Second)), LeaderTransitions: 3,
	}
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	l := lock(t, api(t), "me", Options{})
	before, err := l.Read(t.Context())
	require.NoError(t, err)
	assert.False(t, before.Exists(), "a Lease that is not there is no error")

	written, err := l.Write(t.Context(), before, Entry{Record: recordOf("me", 15*time.Second), Duration: 15 * time.Second})
	require.NoError(t, err)
	read, err := l.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, written.ResourceVersion, read.ResourceVersion)
	assert.Equal(t, 15*time.Second, read.Duration)
	assert.True(t, read.Record.RenewTime.Equal(&written.Record.RenewTime))
	assert.Equal(t, 3, read.Record.LeaderTransitions)

	_, err = l.Write(t.Context(), before, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
	assert.True(t, apierrors.IsAlreadyExists(err), "%v", err)
	_, err = l.Write(t.Context(), written, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
	require.NoError(t, err)
	_, err = l.Write(t.Context(), written, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
	assert.True(t, apierrors.IsConflict(err), "a write on a state that is gone: %v", err)
}

func TestALeaseBetweenSecondsIsKeptExactlyAndRoundedUpForOthers(t *testing.T) {
	config := api(t)
	ours, theirs := lock(t, config, "me", Options{}), lock(t, config, "other", Options{})
	_, err := ours.Write(t.Context(), Snapshot{}, Entry{Record: recordOf("me", 1500*time.Millisecond), Duration: 1500 * time.Millisecond})
	require.NoError(t, err)
	seen, err := theirs.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1500*time.Millisecond, seen.Duration)
	assert.Equal(t, 2, seen.Record.LeaseDurationSeconds)

	// A peer that knows only whole seconds writes through Interface, or leaves
	// the annotation where it is.
	_, _, err = theirs.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, theirs.Update(t.Context(), recordOf("other", 2*time.Second)))
	seen, err = ours.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2*time.Second, seen.Duration)

	leases := client(t, config).CoordinationV1().Leases("default")
	_, err = ours.Write(t.Context(), seen, Entry{Record: recordOf("me", 1500*time.Millisecond), Duration: 1500 * time.Millisecond})
	require.NoError(t, err)
	lease, err := leases.Get(t.Context(), "it", metav1.GetOptions{})
	require.NoError(t, err)
	lease.Spec.RenewTime = &metav1.MicroTime{Time: epoch.Add(time.Minute)}
	_, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	seen, err = ours.Read(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, seen.lease.Annotations[LeaseDurationAnnotation])
	assert.Equal(t, 2*time.Second, seen.Duration, "the annotation belongs to another write")
}

func TestLabelsAndAnnotationsOfOthersSurvive(t *testing.T) {
	config := api(t)
	leases := client(t, config).CoordinationV1().Leases("default")
	_, err := leases.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Name: "it", Labels: map[string]string{"theirs": "1", "ours": "old"}, Annotations: map[string]string{"note": "keep"},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)

	l := lock(t, config, "me", Options{Labels: map[string]string{"ours": "new"}})
	state, err := l.Read(t.Context())
	require.NoError(t, err)
	assert.Zero(t, state.Duration, "a Lease without a spec is no error")
	for _, lease := range []time.Duration{1500 * time.Millisecond, 2 * time.Second} {
		state, err = l.Write(t.Context(), state, Entry{Record: recordOf("me", lease), Duration: lease})
		require.NoError(t, err)
	}
	lease, err := leases.Get(t.Context(), "it", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"theirs": "1", "ours": "new"}, lease.Labels)
	assert.Equal(t, map[string]string{"note": "keep"}, lease.Annotations, "ours is gone with the fine duration")
}

func TestWatchTellsEveryStateInOrder(t *testing.T) {
	config := api(t)
	l := lock(t, config, "me", Options{})
	state, err := l.Write(t.Context(), Snapshot{}, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan Snapshot, 10)
	ended := make(chan error, 1)
	from := state // the goroutine may begin when state is another
	go func() { ended <- l.Watch(ctx, from, func(s Snapshot) { seen <- s }) }()
	for _, holder := range []string{"b", "", "c"} {
		state, err = l.Write(t.Context(), state, Entry{Record: recordOf(holder, time.Second), Duration: time.Second})
		require.NoError(t, err)
		got := <-seen
		assert.Equal(t, holder, got.Record.HolderIdentity)
		assert.Equal(t, state.ResourceVersion, got.ResourceVersion)
	}
	require.NoError(t, client(t, config).CoordinationV1().Leases("default").Delete(t.Context(), "it", metav1.DeleteOptions{}))
	assert.False(t, (<-seen).Exists())
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
}

func TestAWatchOutlivesTheBoundOfACall(t *testing.T) {
	config := api(t)
	l := lock(t, config, "me", Options{RenewDeadline: 500 * time.Millisecond})
	state, err := l.Write(t.Context(), Snapshot{}, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, l.Watch(ctx, state, func(Snapshot) {}), context.DeadlineExceeded)
	assert.ErrorIs(t, ctx.Err(), context.DeadlineExceeded, "the stream ended before its context")
}

func TestUpdateIsBasedOnWhatWasSeenLast(t *testing.T) {
	config := api(t)
	a, b := lock(t, config, "a", Options{}), lock(t, config, "b", Options{})
	assert.ErrorContains(t, a.Update(t.Context(), recordOf("a", time.Second)), "call Get or Create first")
	_, _, err := a.Get(t.Context())
	assert.True(t, apierrors.IsNotFound(err))
	require.NoError(t, a.Create(t.Context(), recordOf("a", time.Second)))
	record, raw, err := b.Get(t.Context())
	require.NoError(t, err)
	assert.Contains(t, string(raw), `"holderIdentity":"a"`)
	assert.Contains(t, string(raw), epoch.Add(time.Second).Format(`"renewTime":"2006-01-02T15:04:05.000000Z"`), "finer than a second")
	var parsed LeaderElectionRecord
	require.NoError(t, json.Unmarshal(raw, &parsed))
	assert.True(t, parsed.RenewTime.Equal(&record.RenewTime), "it still parses as a record")
	require.NoError(t, a.Update(t.Context(), recordOf("a", 2*time.Second)))
	assert.True(t, apierrors.IsConflict(b.Update(t.Context(), recordOf("b", time.Second))))
	_, err = a.Write(t.Context(), Snapshot{ResourceVersion: "1"}, Entry{Record: recordOf("a", time.Second), Duration: time.Second})
	assert.ErrorContains(t, err, "was not read by a LeaseLock")
}

func TestALockMayBeUsedFromManyGoroutines(t *testing.T) {
	l := lock(t, api(t), "me", Options{RenewDeadline: 5 * time.Second})
	l.LockConfig.EventRecorder = &recorder{}
	require.NoError(t, l.Create(t.Context(), recordOf("me", time.Second)))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				_, _, err := l.Get(t.Context())
				assert.NoError(t, err)
				if err := l.Update(t.Context(), recordOf("me", time.Second)); err != nil {
					assert.True(t, apierrors.IsConflict(err), "%v", err)
				}
				l.RecordEvent("was here")
			}
		})
	}
	all.Wait()
}

type recorder struct {
	mu   sync.Mutex
	last runtime.Object
}

func (r *recorder) Eventf(obj runtime.Object, _, _, _ string, _ ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = obj
}

func TestEventsReferToTheLeaseEvenBeforeItWasRead(t *testing.T) {
	l := lock(t, api(t), "me", Options{})
	l.RecordEvent("nobody listens")
	to := &recorder{}
	l.LockConfig.EventRecorder = to
	l.RecordEvent("became leader")
	assert.Equal(t, "it", to.last.(*coordinationv1.Lease).Name)
	state, err := l.Write(t.Context(), Snapshot{}, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
	require.NoError(t, err)
	l.RecordEvent("became leader")
	assert.Equal(t, state.ResourceVersion, to.last.(*coordinationv1.Lease).ResourceVersion)
	assert.Equal(t, "Lease", to.last.(*coordinationv1.Lease).Kind)
	assert.Equal(t, "default/it", l.Describe())
}

func TestALockKnowsWhetherItsClientWasHardened(t *testing.T) {
	config := api(t)
	bound, hardened := lock(t, config, "me", Options{RenewDeadline: 3 * time.Second}).Bound()
	assert.True(t, hardened)
	assert.Equal(t, 3*time.Second, bound)

	plain := &LeaseLock{Client: client(t, config).CoordinationV1()}
	_, hardened = plain.Bound()
	assert.False(t, hardened, "a client of the user's own")

	changed, err := dialer.Harden(config, dialer.Budget{Answer: time.Second})
	require.NoError(t, err)
	own := &LeaseLock{Client: client(t, changed).CoordinationV1()}
	bound, hardened = own.Bound()
	assert.True(t, hardened, "a clientset on a hardened configuration")
	assert.Equal(t, time.Second, bound)

	_, hardened = (&LeaseLock{}).Bound()
	assert.False(t, hardened)
}

func TestAnOpaqueTransportStillMakesALock(t *testing.T) {
	config := api(t)
	rt, err := rest.TransportFor(config)
	require.NoError(t, err)
	opaque := &rest.Config{Host: config.Host, Transport: roundTripperFunc(rt.RoundTrip)}
	l := lock(t, opaque, "me", Options{})
	_, err = l.Write(t.Context(), Snapshot{}, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
	require.NoError(t, err)
	_, hardened := l.Bound()
	assert.False(t, hardened)
	if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
	http, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	http.CloseIdleConnections()
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestBadInputIsNamed(t *testing.T) {
	config := &rest.Config{Host: "https://198.18.0.1"}
	make := func(lockType string, config *rest.Config, o Options) error {
		_, err := NewFromKubeconfigWithOptions(lockType, "default", "it", ResourceLockConfig{Identity: "me"}, config, o)
		return err
	}
	good := Options{RenewDeadline: 10 * time.Second}
	assert.ErrorIs(t, make("endpoints", config, good), ErrLockType)
	assert.ErrorContains(t, make("endpoints", config, good), `migrate to "leases"`)
	assert.ErrorIs(t, make("lease", config, good), ErrLockType)
	assert.ErrorContains(t, make("lease", config, good), `"lease": the only one is "leases"`)
	assert.ErrorContains(t, make(LeasesResourceLock, nil, good), "kubeconfig is nil")
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{}, "RenewDeadline = 0s: must be positive"},
		{Options{RenewDeadline: -time.Second}, "RenewDeadline = -1s"},
		{Options{RenewDeadline: 10 * time.Second, LeaseDuration: 5 * time.Second}, "LeaseDuration = 5s: must be greater than RenewDeadline = 10s"},
		{Options{RenewDeadline: 10 * time.Second, RetryPeriod: 10 * time.Second}, "RetryPeriod = 10s: must be less than RenewDeadline = 10s"},
		{Options{RenewDeadline: 10 * time.Second, Mode: dialer.Mode(7)}, "Mode"},
	} {
		assert.ErrorContains(t, make(LeasesResourceLock, config, c.options), c.want)
	}
	_, err := New(LeasesResourceLock, "default", "it", nil, nil, ResourceLockConfig{Identity: "me"})
	assert.NoError(t, err)
}

// switching is a client of the user's that leads to another one at times, as one that
// is made anew with each token.
type switching struct {
	coordinationv1client.LeasesGetter
	asked int
}

func (s *switching) Leases(namespace string) coordinationv1client.LeaseInterface {
	s.asked++
	return s.LeasesGetter.Leases(namespace)
}

func TestTheClientIsAskedForEachCall(t *testing.T) {
	first, second := fake.NewClientset(), fake.NewClientset()
	client := &switching{LeasesGetter: first.CoordinationV1()}
	l := &LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: "default", Name: "it"}, Client: client, LockConfig: ResourceLockConfig{Identity: "me"}}
	require.NoError(t, l.Create(t.Context(), recordOf("me", time.Second)))
	client.LeasesGetter = second.CoordinationV1()
	_, _, err := l.Get(t.Context())
	assert.True(t, apierrors.IsNotFound(err), "%v: the second has no Lease", err)
	require.NoError(t, l.Create(t.Context(), recordOf("me", time.Second)))
	assert.Equal(t, 3, client.asked)
}
