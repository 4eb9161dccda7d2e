package leaseapi

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// selection says which Leases a list or watch is about.
type selection struct {
	namespace string // empty: all
	fields    fields.Selector
	labels    labels.Selector
}

func (s selection) has(lease *coordinationv1.Lease) bool {
	if s.namespace != "" && s.namespace != lease.Namespace {
		return false
	}
	return s.labels.Matches(labels.Set(lease.Labels)) &&
		s.fields.Matches(fields.Set{"metadata.name": lease.Name, "metadata.namespace": lease.Namespace})
}

// project turns a change into the event that a watch with this selection gets.
// A Lease that enters or leaves the selection is added or deleted as far as
// that watch can tell.
func (s selection) project(c change) (watch.Event, bool) {
	had := c.before != nil && s.has(c.before)
	has := c.kind != watch.Deleted && s.has(c.after)
	switch {
	case has && had:
		return watch.Event{Type: watch.Modified, Object: c.after}, true
	case has:
		return watch.Event{Type: watch.Added, Object: c.after}, true
	case had:
		gone := c.before.DeepCopy()
		gone.ResourceVersion = c.after.ResourceVersion
		return watch.Event{Type: watch.Deleted, Object: gone}, true
	default:
		return watch.Event{}, false
	}
}

// since returns the changes after version, the version they lead to, and a
// channel that is closed at the next commit. The error is 410 Gone when some of
// those changes have been forgotten.
func (s *Store) since(version uint64) ([]change, uint64, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version < s.forgotten {
		return nil, 0, nil, apierrors.NewResourceExpired(
			fmt.Sprintf("too old resource version: %d (%d)", version, s.forgotten))
	}
	if version >= s.version {
		return nil, version, s.grown, nil
	}
	changes := make([]change, s.version-version)
	copy(changes, s.log[version-s.forgotten:])
	return changes, s.version, s.grown, nil
}

func errGone(uid types.UID) error {
	return fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: ", uid)
}
