package resourcelock

import (
	"context"
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

// Watch implements Versioned. A lock that shares its connections with locks on
// other Leases of the namespace (Factory) shares one watch on all of them, where
// RBAC permits that: then seen may leave out states that were replaced before it
// was called for them.
func (l *LeaseLock) Watch(ctx context.Context, from Snapshot, seen func(Snapshot)) error {
	if l.factory != nil {
		return l.factory.watch(ctx, l, from, seen)
	}
	return l.watchAlone(ctx, from, seen)
}

// watchAlone watches this Lease only. The watch selects it by name, which is
// what RBAC by resourceNames permits.
func (l *LeaseLock) watchAlone(ctx context.Context, from Snapshot, seen func(Snapshot)) error {
	stream, err := l.client().Watch(ctx, metav1.ListOptions{
		FieldSelector:   fields.OneTermEqualSelector(metav1.ObjectNameField, l.LeaseMeta.Name).String(),
		ResourceVersion: from.ResourceVersion,
	})
	if err != nil {
		return fmt.Errorf("watching lease %s: %w", l.Describe(), err)
	}
	defer stream.Stop()
	if from.unversioned() {
		if err := l.catchUpUnversioned(ctx, from, seen); err != nil {
			return fmt.Errorf("watching lease %s: reading what came before: %w", l.Describe(), err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case event, open := <-stream.ResultChan():
			if !open {
				return nil
			}
			if err := l.see(event, seen); err != nil {
				return err
			}
		}
	}
}

func (l *LeaseLock) see(event watch.Event, seen func(Snapshot)) error {
	if event.Type == watch.Error {
		return fmt.Errorf("watching lease %s: %w", l.Describe(), apierrors.FromObject(event.Object))
	}
	lease, isLease := event.Object.(*coordinationv1.Lease)
	if !isLease || lease.Name != l.LeaseMeta.Name {
		return nil
	}
	switch event.Type {
	case watch.Added, watch.Modified:
		tell(l, lease, seen)
	case watch.Deleted:
		tell(l, nil, seen)
	}
	return nil
}

// tell calls seen for a state of l's Lease, nil standing for none.
func tell(l *LeaseLock, lease *coordinationv1.Lease, seen func(Snapshot)) {
	if lease == nil {
		seen(Snapshot{})
		return
	}
	seen(l.snapshot(lease))
}
