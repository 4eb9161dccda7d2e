package resourcelock

import (
	"context"
	"errors"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// Watch implements Versioned. Locks that share their connections (Factory) share
// one watch on all Leases of the namespace, where RBAC permits that; otherwise
// the watch is on this Lease only. seen may leave out states that were replaced
// before it was called for them.
//
// An API that does not accept the watch within Bound is an error, and one that
// refuses it again and again is asked at ever longer intervals, however often
// Watch is called. What a round tripper of the user's panics with, Watch panics with.
func (l *LeaseLock) Watch(ctx context.Context, from Snapshot, seen func(Snapshot)) error {
	err := l.watch(ctx, from, seen)
	bounded.Raise(ctx, err)
	return err
}

func (l *LeaseLock) watch(ctx context.Context, from Snapshot, seen func(Snapshot)) error {
	l.prepare()
	whole, alone := scope{namespace: l.LeaseMeta.Namespace}, scope{l.LeaseMeta.Namespace, l.LeaseMeta.Name}
	// For a single Lease, a watch that selects it by name costs the API less than
	// one on the whole namespace, which may be full of Leases of others.
	if l.factory != nil && l.factory.many(l.LeaseMeta.Namespace) {
		err := l.watches.watch(ctx, l, whole, from, seen)
		if !errors.Is(err, errNotTogether) {
			return err
		}
	}
	return l.watches.watch(ctx, l, alone, from, seen)
}

// tell calls seen for a state of l's Lease, nil standing for none.
func tell(l *LeaseLock, lease *coordinationv1.Lease, seen func(Snapshot)) {
	if lease == nil {
		seen(Snapshot{})
		return
	}
	seen(l.snapshot(lease))
}
