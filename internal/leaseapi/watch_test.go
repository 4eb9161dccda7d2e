package leaseapi

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"
)

// patience bounds every wait of these tests; it is never what they measure.
const patience = 10 * time.Second

// next returns the next event of a watch.
func next(t *testing.T, w watch.Interface) watch.Event {
	t.Helper()
	select {
	case event, ok := <-w.ResultChan():
		require.True(t, ok, "the watch ended")
		return event
	case <-time.After(patience):
		require.FailNow(t, "no event within "+patience.String())
		return watch.Event{}
	}
}

func versionOf(t *testing.T, event watch.Event) string {
	t.Helper()
	lease, ok := event.Object.(*coordinationv1.Lease)
	require.True(t, ok, "%s event holds a %T", event.Type, event.Object)
	return lease.ResourceVersion
}

func TestAWatchDeliversEveryCommitOnceInOrderOnAnyEndpoint(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a", "b")
	writer := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	reader := clientFor(t, endpoints[1].Config()).CoordinationV1().Leases("default")
	lease, err := writer.Create(t.Context(), newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)
	w, err := reader.Watch(t.Context(), metav1.ListOptions{ResourceVersion: lease.ResourceVersion, FieldSelector: "metadata.name=l"})
	require.NoError(t, err)
	defer w.Stop()

	_, err = writer.Create(t.Context(), newLease("other"), metav1.CreateOptions{})
	require.NoError(t, err)
	for i := range 5 {
		lease.Spec.LeaseTransitions = ptr.To(int32(i + 1))
		lease, err = writer.Update(t.Context(), lease, metav1.UpdateOptions{})
		require.NoError(t, err)
		event := next(t, w)
		assert.Equal(t, watch.Modified, event.Type)
		assert.Equal(t, lease.ResourceVersion, versionOf(t, event))
	}
	require.NoError(t, writer.Delete(t.Context(), "l", metav1.DeleteOptions{}))
	event := next(t, w)
	assert.Equal(t, watch.Deleted, event.Type)
	assert.NotEqual(t, lease.ResourceVersion, versionOf(t, event), "a deletion has a version of its own")
}

func TestAWatchFromAnOldVersionCatchesUp(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	first, err := leases.Create(t.Context(), newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)
	second := first.DeepCopy()
	second.Spec.HolderIdentity = ptr.To("two")
	second, err = leases.Update(t.Context(), second, metav1.UpdateOptions{})
	require.NoError(t, err)
	w, err := leases.Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	require.NoError(t, err)
	defer w.Stop()
	assert.Equal(t, second.ResourceVersion, versionOf(t, next(t, w)))
}

func TestAWatchFromAForgottenVersionIsGone(t *testing.T) {
	_, endpoints := serve(t, Options{History: 2}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	first, err := leases.Create(t.Context(), newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)
	for i := range 4 {
		_, err := leases.Create(t.Context(), newLease("l"+strconv.Itoa(i)), metav1.CreateOptions{})
		require.NoError(t, err)
	}
	w, err := leases.Watch(t.Context(), metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	require.NoError(t, err, "as the API server does, the answer is 200 and the stream says what is wrong")
	defer w.Stop()
	event := next(t, w)
	require.Equal(t, watch.Error, event.Type)
	assert.True(t, apierrors.IsResourceExpired(apierrors.FromObject(event.Object)), "%v", event.Object)
}

func TestAWatchWithoutVersionBeginsWithWhatIsThere(t *testing.T) {
	for _, version := range []string{"", "0"} {
		t.Run("resourceVersion="+version, func(t *testing.T) {
			_, endpoints := serve(t, Options{}, "a")
			leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
			lease, err := leases.Create(t.Context(), newLease("l"), metav1.CreateOptions{})
			require.NoError(t, err)
			w, err := leases.Watch(t.Context(), metav1.ListOptions{ResourceVersion: version})
			require.NoError(t, err)
			defer w.Stop()
			event := next(t, w)
			assert.Equal(t, watch.Added, event.Type)
			assert.Equal(t, lease.ResourceVersion, versionOf(t, event))
		})
	}
}

func TestInitialEventsEndWithABookmark(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	_, err := leases.Create(t.Context(), newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)
	w, err := leases.Watch(t.Context(), metav1.ListOptions{
		SendInitialEvents:    ptr.To(true),
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		AllowWatchBookmarks:  true,
	})
	require.NoError(t, err)
	defer w.Stop()
	assert.Equal(t, watch.Added, next(t, w).Type)
	event := next(t, w)
	require.Equal(t, watch.Bookmark, event.Type)
	assert.Equal(t, "true", event.Object.(*coordinationv1.Lease).Annotations[metav1.InitialEventsAnnotationKey])
}

func TestInitialEventsNeedAMatch(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	_, err := leases.Watch(t.Context(), metav1.ListOptions{SendInitialEvents: ptr.To(true)})
	assert.True(t, apierrors.IsInvalid(err), "%v", err)
}

func TestALeaseThatLeavesTheSelectionIsDeletedForItsWatch(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	lease, err := leases.Create(t.Context(), newLease("l"), metav1.CreateOptions{})
	require.NoError(t, err)
	w, err := leases.Watch(t.Context(), metav1.ListOptions{ResourceVersion: lease.ResourceVersion, LabelSelector: "app=l"})
	require.NoError(t, err)
	defer w.Stop()
	lease.Labels["app"] = "other"
	lease, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	assert.Equal(t, watch.Deleted, next(t, w).Type)
	lease.Labels["app"] = "l"
	_, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	assert.Equal(t, watch.Added, next(t, w).Type)
}

func TestAWatchEndsWhenItsTimeIsOver(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	leases := clientFor(t, endpoints[0].Config()).CoordinationV1().Leases("default")
	w, err := leases.Watch(t.Context(), metav1.ListOptions{ResourceVersion: "1", TimeoutSeconds: ptr.To[int64](1)})
	require.NoError(t, err)
	defer w.Stop()
	select {
	case event, ok := <-w.ResultChan():
		assert.False(t, ok, "%v", event)
	case <-time.After(patience):
		assert.Fail(t, "the watch goes on")
	}
}

func TestAnInformerFollowsLeases(t *testing.T) {
	_, endpoints := serve(t, Options{}, "a")
	clientset := clientFor(t, endpoints[0].Config())
	leases := clientset.CoordinationV1().Leases("default")
	_, err := leases.Create(t.Context(), newLease("before"), metav1.CreateOptions{})
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	factory := informers.NewSharedInformerFactory(clientset, 0)
	defer factory.Shutdown()
	defer cancel()
	lister := factory.Coordination().V1().Leases().Lister()
	informer := factory.Coordination().V1().Leases().Informer()
	factory.Start(ctx.Done())
	require.True(t, cache.WaitForCacheSync(ctx.Done(), informer.HasSynced))
	_, err = leases.Create(t.Context(), newLease("after"), metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, errBefore := lister.Leases("default").Get("before")
		_, errAfter := lister.Leases("default").Get("after")
		return errBefore == nil && errAfter == nil
	}, patience, 5*time.Millisecond)
}
