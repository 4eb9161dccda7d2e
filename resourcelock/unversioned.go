package resourcelock

import (
	"context"
	"errors"
	"maps"
	"sync"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// This file is for APIs that keep no resource versions. No API server is one;
// client-go's fake clientset is, which unit tests run against. It lives in one
// process, accepts every update whatever it is based on, and its watch begins
// with what comes after its opening.

// unversioned reports whether the Lease is there and its state has no name.
func (s Snapshot) unversioned() bool { return s.Exists() && s.ResourceVersion == "" }

// unversionedTurns has a mutex for each Lease, by namespace/name, so that reading
// the state and replacing it is one step among the locks of this process. It is
// no channel, which tests in virtual time could not share (testing/synctest).
var unversionedTurns sync.Map

// updateUnversioned replaces base by next, with a conflict where base is not the
// current state: what an API server does by itself.
func (l *LeaseLock) updateUnversioned(ctx context.Context, base, next *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	turn, _ := unversionedTurns.LoadOrStore(l.Describe(), new(sync.Mutex))
	turn.(*sync.Mutex).Lock()
	defer turn.(*sync.Mutex).Unlock()
	current, err := l.client().Get(ctx, l.LeaseMeta.Name, metav1.GetOptions{})
	switch {
	case err != nil:
		return nil, err
	case !sameLease(current, base):
		return nil, apierrors.NewConflict(coordinationv1.Resource("leases"), l.LeaseMeta.Name, errors.New("the Lease has changed since it was read"))
	}
	return l.client().Update(ctx, next, metav1.UpdateOptions{})
}

// sameLease reports whether two Leases say the same.
func sameLease(a, b *coordinationv1.Lease) bool {
	return a.UID == b.UID && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations) &&
		equality.Semantic.DeepEqual(a.Spec, b.Spec)
}
