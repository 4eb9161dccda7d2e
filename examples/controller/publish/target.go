package publish

import (
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// OwnerAnnotation names the installation that a ConfigMap belongs to.
	OwnerAnnotation = "hosts.holdfast-go.github.io/owner"

	// ManagedByLabel and ManagedBy mark what this controller has written for
	// people and tools; nothing is decided by them.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "hosts-controller"
)

// ErrNotOwner is the error of a ConfigMap that belongs to someone else. It was
// not changed.
var ErrNotOwner = errors.New("the ConfigMap is not ours")

// Target says where the block goes and in whose name.
type Target struct {
	// Namespace and Name of the ConfigMap.
	Namespace, Name string
	// Key of the ConfigMap that holds the block.
	Key string
	// Owner is the name of this installation; no two that run at the same time
	// may share it.
	Owner string
}

// action is what has to be done to a ConfigMap.
type action string

const (
	nothing action = "nothing"
	create  action = "create"
	update  action = "update"
)

// want returns the ConfigMap as it has to be for block to stand in it, and how
// to get there from current, which is not changed; nil means that there is
// none. The error is ErrNotOwner.
func (t Target) want(current *corev1.ConfigMap, block string) (*corev1.ConfigMap, action, error) {
	if current == nil {
		return &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace:   t.Namespace,
				Name:        t.Name,
				Labels:      map[string]string{ManagedByLabel: ManagedBy},
				Annotations: map[string]string{OwnerAnnotation: t.Owner},
			},
			Data: map[string]string{t.Key: block},
		}, create, nil
	}
	if owner := current.Annotations[OwnerAnnotation]; owner != t.Owner {
		return nil, nothing, fmt.Errorf("%w: ConfigMap %s/%s has the annotation %s=%q, which would have to be %q; it is left as it is",
			ErrNotOwner, t.Namespace, t.Name, OwnerAnnotation, owner, t.Owner)
	}
	_, binary := current.BinaryData[t.Key]
	if current.Data[t.Key] == block && !binary && current.Labels[ManagedByLabel] == ManagedBy {
		return current, nothing, nil
	}
	next := current.DeepCopy()
	next.Labels = with(next.Labels, ManagedByLabel, ManagedBy)
	next.Data = with(next.Data, t.Key, block)
	delete(next.BinaryData, t.Key) // a key may stand in one of the two only
	return next, update, nil
}

func with(m map[string]string, key, value string) map[string]string {
	m = maps.Clone(m)
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}
