package leaseapi

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

func newLease(name string) *coordinationv1.Lease {
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: map[string]string{"app": name}},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       ptr.To("one"),
			LeaseDurationSeconds: ptr.To[int32](15),
			RenewTime:            ptr.To(metav1.NewMicroTime(time.Now())),
		},
	}
}

// formats are the ways in which client-go may encode what it sends.
var formats = map[string]func(*rest.Config){
	"default": func(*rest.Config) {},
	"json":    func(c *rest.Config) { c.ContentType = "application/json" },
	"protobuf only": func(c *rest.Config) {
		c.ContentType = "application/vnd.kubernetes.protobuf"
		c.AcceptContentTypes = "application/vnd.kubernetes.protobuf"
	},
	"cbor": func(c *rest.Config) {
		c.ContentType = "application/cbor"
		c.AcceptContentTypes = "application/cbor,application/json"
	},
	"HTTP/1.1": func(c *rest.Config) { c.NextProtos = []string{"http/1.1"} },
}

func TestEveryVerbWorksInEveryFormat(t *testing.T) {
	for name, set := range formats {
		t.Run(name, func(t *testing.T) {
			_, endpoints := serve(t, Options{}, "a")
			config := endpoints[0].Config()
			set(config)
			leases := clientFor(t, config).CoordinationV1().Leases("default")

			now := metav1.NewMicroTime(time.Now().Truncate(time.Microsecond))
			lease := newLease("l")
			lease.Spec.RenewTime = &now
			created, err := leases.Create(t.Context(), lease, metav1.CreateOptions{})
			require.NoError(t, err)
			assert.NotEmpty(t, created.UID)
			assert.NotEmpty(t, created.ResourceVersion)
			assert.False(t, created.CreationTimestamp.IsZero())
			assert.True(t, now.Equal(created.Spec.RenewTime), "microseconds survive: sent %s, got %s", now, created.Spec.RenewTime)

			created.Spec.HolderIdentity = ptr.To("two")
			updated, err := leases.Update(t.Context(), created, metav1.UpdateOptions{})
			require.NoError(t, err)
			assert.NotEqual(t, created.ResourceVersion, updated.ResourceVersion)
			assert.Equal(t, created.UID, updated.UID)
			assert.Equal(t, created.CreationTimestamp, updated.CreationTimestamp)

			got, err := leases.Get(t.Context(), "l", metav1.GetOptions{})
			require.NoError(t, err)
			assert.Equal(t, updated.ResourceVersion, got.ResourceVersion)
			assert.Equal(t, "two", *got.Spec.HolderIdentity)

			list, err := leases.List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=l"})
			require.NoError(t, err)
			require.Len(t, list.Items, 1)
			assert.Equal(t, updated.ResourceVersion, list.ResourceVersion)

			require.NoError(t, leases.Delete(t.Context(), "l", metav1.DeleteOptions{}))
			_, err = leases.Get(t.Context(), "l", metav1.GetOptions{})
			assert.True(t, apierrors.IsNotFound(err), "%v", err)
		})
	}
}

func TestErrorsAreThoseOfTheAPIServer(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	ctx := t.Context()
	first, err := leases.Create(ctx, newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)
	second := first.DeepCopy()
	second.Spec.HolderIdentity = ptr.To("two")
	second, err = leases.Update(ctx, second, metav1.UpdateOptions{})
	require.NoError(t, err)

	update := func(change func(*coordinationv1.Lease)) error {
		lease := second.DeepCopy()
		change(lease)
		_, err := leases.Update(ctx, lease, metav1.UpdateOptions{})
		return err
	}
	_, errMissing := leases.Get(ctx, "missing", metav1.GetOptions{})
	_, errTwice := leases.Create(ctx, newLease("l"), metav1.CreateOptions{})
	_, errVersioned := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "v", ResourceVersion: "1"}}, metav1.CreateOptions{})
	_, errName := leases.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: "Not A Name"}}, metav1.CreateOptions{})
	_, errPatch := leases.Patch(ctx, "l", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{})
	_, errField := leases.List(ctx, metav1.ListOptions{FieldSelector: "spec.holderIdentity=one"})
	for name, c := range map[string]struct {
		err  error
		kind func(error) bool
	}{
		"a lease that is not there":          {errMissing, apierrors.IsNotFound},
		"created twice":                      {errTwice, apierrors.IsAlreadyExists},
		"created with a resourceVersion":     {errVersioned, apierrors.IsInternalError},
		"a name that is none":                {errName, apierrors.IsInvalid},
		"a verb that is not served":          {errPatch, apierrors.IsMethodNotSupported},
		"a field that cannot be selected":    {errField, apierrors.IsBadRequest},
		"deletion of what is not there":      {leases.Delete(ctx, "missing", metav1.DeleteOptions{}), apierrors.IsNotFound},
		"deletion with another uid":          {leases.Delete(ctx, "l", *metav1.NewPreconditionDeleteOptions("other")), apierrors.IsConflict},
		"deletion of an older state":         {leases.Delete(ctx, "l", *metav1.NewRVDeletionPrecondition(first.ResourceVersion)), apierrors.IsConflict},
		"an update of an older state":        {update(func(l *coordinationv1.Lease) { l.ResourceVersion = first.ResourceVersion }), apierrors.IsConflict},
		"an update of another uid":           {update(func(l *coordinationv1.Lease) { l.UID = "other" }), apierrors.IsConflict},
		"an update without resourceVersion":  {update(func(l *coordinationv1.Lease) { l.ResourceVersion = "" }), apierrors.IsInvalid},
		"a resourceVersion that is none":     {update(func(l *coordinationv1.Lease) { l.ResourceVersion = "x" }), apierrors.IsInternalError},
		"a duration of nothing":              {update(func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = ptr.To[int32](0) }), apierrors.IsInvalid},
		"negative transitions":               {update(func(l *coordinationv1.Lease) { l.Spec.LeaseTransitions = ptr.To[int32](-1) }), apierrors.IsInvalid},
		"a preferred holder and no strategy": {update(func(l *coordinationv1.Lease) { l.Spec.PreferredHolder = ptr.To("x") }), apierrors.IsInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, c.err)
			assert.True(t, c.kind(c.err), "%v (%s)", c.err, apierrors.ReasonForError(c.err))
		})
	}

	got, err := leases.Get(ctx, "l", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, second.ResourceVersion, got.ResourceVersion, "what was refused changed nothing")
}

func TestAnUpdateOfAMissingLease(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	created, err := leases.Update(t.Context(), newLease("l"), metav1.UpdateOptions{})
	require.NoError(t, err, "a PUT creates")
	require.NoError(t, leases.Delete(t.Context(), "l", metav1.DeleteOptions{}))
	_, err = leases.Update(t.Context(), created, metav1.UpdateOptions{})
	assert.True(t, apierrors.IsConflict(err), "a uid ties the update to the lease that is gone: %v", err)
}

func TestAnUpdateThatChangesNothingIsNoCommit(t *testing.T) {
	var commits atomic.Int64
	_, endpoints := serve(t, Options{OnCommit: func(Commit) { commits.Add(1) }}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	lease, err := leases.Create(t.Context(), newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)
	again, err := leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	assert.Equal(t, lease.ResourceVersion, again.ResourceVersion)
	assert.EqualValues(t, 1, commits.Load())

	bare := lease.DeepCopy()
	bare.UID, bare.CreationTimestamp = "", metav1.Time{}
	again, err = leases.Update(t.Context(), bare, metav1.UpdateOptions{})
	require.NoError(t, err)
	assert.Equal(t, lease.ObjectMeta, again.ObjectMeta, "what the server sets need not be sent")
	assert.EqualValues(t, 1, commits.Load())
}

func TestConcurrentUpdatesLoseNothing(t *testing.T) {
	var mu sync.Mutex
	var seen []Commit
	_, endpoints := serve(t, Options{OnCommit: func(c Commit) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, c)
	}}, "a", "b")
	_, err := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default").Create(t.Context(), newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)

	const writers, writes = 4, 10
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	errs := make(chan error, writers)
	for i := range writers {
		leases := clientFor(t, endpoints[i%2].Config()).CoordinationV1().Leases("default")
		go func() {
			for n := 0; n < writes; {
				lease, err := leases.Get(ctx, "l", metav1.GetOptions{})
				if err == nil {
					lease.Spec.LeaseTransitions = ptr.To(ptr.Deref(lease.Spec.LeaseTransitions, 0) + 1)
					_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
				}
				switch {
				case err == nil:
					n++
				case !apierrors.IsConflict(err):
					errs <- fmt.Errorf("only a conflict may keep a write back: %w", err)
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		require.NoError(t, <-errs)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 1+writers*writes, len(seen))
	assert.EqualValues(t, writers*writes, *seen[len(seen)-1].Lease.Spec.LeaseTransitions)
	through := map[string]bool{}
	for i, commit := range seen {
		assert.Equal(t, fmt.Sprint(i+2), commit.Lease.ResourceVersion, "commits come in order")
		through[commit.Endpoint] = true
	}
	assert.Equal(t, map[string]bool{"a": true, "b": true}, through)
}

func TestRecordersCanPostEvents(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	event := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e", Namespace: "default"}, Reason: "LeaderElection"}
	got, err := clientFor(t, endpoints[0].Config()).CoreV1().Events("default").Create(t.Context(), event, metav1.CreateOptions{})
	require.NoError(t, err)
	assert.Equal(t, "LeaderElection", got.Reason)
}

func TestHTTP2IsSpokenUnlessRefused(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	for proto, protos := range map[string][]string{"HTTP/2.0": nil, "HTTP/1.1": {"http/1.1"}} {
		config := endpoints[0].Config()
		config.NextProtos = protos
		client, err := rest.HTTPClientFor(config)
		require.NoError(t, err)
		t.Cleanup(client.CloseIdleConnections)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/readyz", nil)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.Equal(t, proto, response.Proto)
	}
}
