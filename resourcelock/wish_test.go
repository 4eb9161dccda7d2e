package resourcelock

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// A wish changes nothing of the record, stays with the renewals of the term that it is
// about, and goes with that term.
func TestAWishStaysForOneTerm(t *testing.T) {
	lock := lock(t, api(t), "a", Options{})
	now := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC))
	entry := func(holder string, transitions int) Entry {
		acquired := metav1.NewTime(now.Add(time.Duration(transitions) * time.Minute))
		return Entry{Record: LeaderElectionRecord{
			HolderIdentity: holder, LeaseDurationSeconds: 15, AcquireTime: acquired, RenewTime: acquired, LeaderTransitions: transitions,
		}, Mark: newMark()}
	}
	held, err := lock.Write(t.Context(), Snapshot{}, entry("a", 1))
	require.NoError(t, err)

	wished, err := lock.Wish(t.Context(), held, "b", 7)
	require.NoError(t, err)
	assert.Equal(t, held.Record, wished.Record)
	assert.Equal(t, held.Stated, wished.Stated, "the write is still the holder's")
	wish, is := wished.Wish()
	require.True(t, is)
	assert.Equal(t, "b", wish.By)
	assert.Equal(t, 7, wish.Priority)
	_, err = lock.Wish(t.Context(), held, "c", 8)
	assert.True(t, apierrors.IsConflict(err), "%v", err)

	renewed := entry("a", 1)
	renewed.Record.RenewTime = metav1.NewTime(now.Add(time.Hour))
	after, err := lock.Write(t.Context(), wished, renewed)
	require.NoError(t, err)
	again, is := after.Wish()
	assert.True(t, is)
	assert.Equal(t, wish, again)
	read, err := lock.Read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, after.Wished, read.Wished)

	released, err := lock.Write(t.Context(), after, entry("", 1))
	require.NoError(t, err)
	assert.Zero(t, released.Wished, "nothing is left of it")
	_, err = lock.Wish(t.Context(), released, "b", 7)
	assert.ErrorContains(t, err, "a holder", "nobody is there to be asked")
}

func TestAWishThatCannotBeLeft(t *testing.T) {
	held := Snapshot{Record: LeaderElectionRecord{HolderIdentity: "a"}, ResourceVersion: "1", lease: &coordinationv1.Lease{}}
	lock := &LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: "n", Name: "it"}, Client: fake.NewClientset().CoordinationV1()}
	for _, by := range []string{"", "\xff", strings.Repeat("x", MaxSuccessor+1)} {
		_, err := lock.Wish(t.Context(), held, by, 1)
		assert.ErrorContains(t, err, "on lease n/it: there must be a name")
	}
	_, err := lock.Wish(t.Context(), Snapshot{Record: held.Record}, "b", 1)
	assert.ErrorContains(t, err, "a Lease with a holder", "there is none")
}

// client-go's fake clientset keeps no versions.
func TestAWishOnALeaseWithoutAVersion(t *testing.T) {
	lock := &LeaseLock{LeaseMeta: metav1.ObjectMeta{Namespace: "n", Name: "it"}, Client: fake.NewClientset().CoordinationV1()}
	held, err := lock.Write(t.Context(), Snapshot{}, Entry{Record: LeaderElectionRecord{HolderIdentity: "a", LeaseDurationSeconds: 15}, Mark: newMark()})
	require.NoError(t, err)
	require.Empty(t, held.ResourceVersion)
	wished, err := lock.Wish(t.Context(), held, "b", 7)
	require.NoError(t, err)
	wish, is := wished.Wish()
	assert.True(t, is)
	assert.Equal(t, "b", wish.By)
	_, err = lock.Wish(t.Context(), held, "c", 8)
	assert.True(t, apierrors.IsConflict(err), "it is based on what is gone: %v", err)
}

func TestAnAnnotationThatIsNoWishAsksNothing(t *testing.T) {
	for _, value := range []string{"", "{", "5", `{"by":5}`, `{"by":"b"}`, `{"by":"","holder":"a"}`} {
		lease := &coordinationv1.Lease{}
		lease.Annotations = map[string]string{WishAnnotation: value}
		holder := "a"
		lease.Spec.HolderIdentity = &holder
		_, is := (&LeaseLock{}).snapshot(lease).Wish()
		assert.False(t, is, value)
		forgetWish(lease, LeaderElectionRecord{HolderIdentity: "a"})
		assert.NotContains(t, lease.Annotations, WishAnnotation, "it is not left to lie there")
	}
}

func TestWhoeverHearsSaysSo(t *testing.T) {
	at := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC))
	entry := Entry{Record: LeaderElectionRecord{HolderIdentity: "a", LeaseDurationSeconds: 15, AcquireTime: at, RenewTime: at}, Mark: "process.1", Hears: true}
	for name, test := range map[string]struct {
		change func(e *Entry)
		edit   func(l *coordinationv1.Lease)
		hears  bool
	}{
		"it says so":           {hears: true},
		"it does not":          {change: func(e *Entry) { e.Hears = false }},
		"nobody holds it":      {change: func(e *Entry) { e.Record.HolderIdentity = "" }},
		"it marks nothing":     {change: func(e *Entry) { e.Mark = "" }},
		"another has taken it": {edit: func(l *coordinationv1.Lease) { b := "b"; l.Spec.HolderIdentity = &b }},
		"another has renewed":  {edit: func(l *coordinationv1.Lease) { l.Spec.RenewTime = &metav1.MicroTime{Time: at.Add(time.Second)} }},
	} {
		written, lease := entry, &coordinationv1.Lease{}
		if test.change != nil {
			test.change(&written)
		}
		lease.Spec = LeaderElectionRecordToLeaseSpec(&written.Record)
		annotate(lease, written)
		if test.edit != nil {
			test.edit(lease)
		}
		assert.Equal(t, test.hears, (&LeaseLock{}).snapshot(lease).Hears(), name)
	}
}
