package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

const (
	// wanted is the label of the ConfigMaps to stamp.
	wanted = "checksums.holdfast-go.github.io/stamp"
	// stamp is the annotation that holds the checksum.
	stamp = "checksums.holdfast-go.github.io/sha256"
)

// checksums keeps the stamp of each ConfigMap in step with its data.
type checksums struct{ client client.Client }

// setUpChecksums adds the controller to mgr. It is the same for every Way.
func setUpChecksums(mgr ctrl.Manager) error {
	labelled := predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetLabels()[wanted] == "true" })
	return ctrl.NewControllerManagedBy(mgr).
		For(&corev1.ConfigMap{}, builder.WithPredicates(labelled)).
		Complete(&checksums{client: mgr.GetClient()})
}

// Reconcile stamps one ConfigMap. The write carries the resourceVersion that it
// is based on, so one that is late loses against a newer leader's.
func (c *checksums) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var object corev1.ConfigMap
	if err := c.client.Get(ctx, request.NamespacedName, &object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	sum := checksum(object.Data)
	if object.Annotations[stamp] == sum {
		return ctrl.Result{}, nil
	}
	if object.Annotations == nil {
		object.Annotations = map[string]string{}
	}
	object.Annotations[stamp] = sum
	return ctrl.Result{}, c.client.Update(ctx, &object)
}

// checksum is the same for equal data, and no two different ones have the same
// text to hash: every part is followed by a byte that no key or value holds.
func checksum(data map[string]string) string {
	hash := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		for _, part := range []string{key, data[key]} {
			// A hash never fails to take bytes.
			_, _ = hash.Write(append([]byte(part), 0xff)) // no UTF-8 text holds 0xff
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}
