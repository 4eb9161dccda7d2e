package fenced

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// The longest name of a Lease, with dots; what a fence of one namespace does to what is in
// another, and to what is in none; and without its Lease the fence would refuse everyone,
// so nobody deletes it.
func TestNamesAndNamespaces(t *testing.T) {
	s := newStage(t, "")
	s.lease.Name = strings.Repeat("a.b-c.", 42) + "z"
	require.Len(t, s.lease.Name, 253)
	holder, other := s.pods[0], s.pods[1]
	s.holds(t, holder.identity, 0)
	f := s.fence(t, "configmaps", "nodes", "namespaces", "widgets.example.com/start", "pods/exec", "bindings")
	f.Namespaces = []string{namespace}
	s.install(t, f)
	const elsewhere = "elsewhere"
	_, err := s.admin[0].CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: elsewhere}}, metav1.CreateOptions{})
	require.NoError(t, err)

	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	for what, c := range map[string]struct {
		fenced bool
		write  func(context.Context, kubernetes.Interface) error
	}{
		"in the namespace": {true, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("new"), dry)
			return err
		}},
		"in another": {false, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().ConfigMaps(elsewhere).Create(ctx, configMap("new"), dry)
			return err
		}},
		"in none": {true, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, dry)
			return err
		}},
		"another namespace itself": {false, func(ctx context.Context, c kubernetes.Interface) error {
			_, err := c.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, dry)
			return err
		}},
	} {
		assert.NoError(t, c.write(t.Context(), holder.clients[0]), "%s, the holder", what)
		err := c.write(t.Context(), other.clients[0])
		if c.fenced {
			assert.True(t, fence.Refused(err, s.lease), "%s: must be refused by the fence: %v", what, err)
		} else {
			assert.NoError(t, err, what)
		}
	}
	t.Run("the Lease is not deleted", s.leaseStays)
}

// leaseStays: the Lease is deleted neither by its name nor with others.
func (s *stage) leaseStays(t *testing.T) {
	leases := s.admin[0].CoordinationV1().Leases(namespace)
	other := "other"
	_, err := leases.Create(t.Context(), leaseNamed(other), metav1.CreateOptions{})
	require.NoError(t, err)
	err = leases.Delete(t.Context(), s.lease.Name, metav1.DeleteOptions{})
	require.ErrorContains(t, err, "is what a fence goes by")
	assert.False(t, fence.Refused(err, s.lease), "it says nothing of who leads")
	err = leases.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{})
	require.ErrorContains(t, err, "is what a fence goes by")
	_, err = leases.Get(t.Context(), s.lease.Name, metav1.GetOptions{})
	require.NoError(t, err)
	if err := leases.Delete(t.Context(), other, metav1.DeleteOptions{}); err != nil {
		require.ErrorContains(t, err, "not found", "it went with the deletion of many, which ends at the first that is refused")
	}
}
