package fenced

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// installing are the rights that docs/fence.md asks for of whoever installs a fence.
var installing = []rbacv1.PolicyRule{
	{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"validatingadmissionpolicies"}, Verbs: []string{"create"}},
	{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"validatingadmissionpolicybindings"}, Verbs: []string{"create"}},
	{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get"}},
}

// stamping are those that a fence with the term needs beside them.
var stamping = []rbacv1.PolicyRule{
	{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingadmissionpolicies"}, Verbs: []string{"create"}},
	{APIGroups: []string{"admissionregistration.k8s.io"}, Resources: []string{"mutatingadmissionpolicybindings"}, Verbs: []string{"create"}},
}

// With these rights a fence is installed, and without any of them it is not.
func TestTheRightsToInstallAreTheLeast(t *testing.T) {
	s := newStage(t, "")
	ctx, api := t.Context(), s.admin[0]
	f, rights := s.fence(t, "configmaps"), slices.Concat(installing, stamping)
	f.Term = true
	const installer = "installer"
	meta := metav1.ObjectMeta{Name: installer}
	_, err := api.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	require.NoError(t, err)
	role, err := api.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rights}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta,
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: installer},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: installer}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	token, err := api.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, installer, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)
	config := rest.AnonymousClientConfig(s.config[0])
	config.BearerToken = token.Status.Token
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	objects, err := f.Objects()
	require.NoError(t, err)

	admin, err := dynamic.NewForConfig(s.config[0])
	require.NoError(t, err)
	backwards := slices.Clone(objects)
	slices.Reverse(backwards)
	// install creates the objects, where there are none, and returns the first error.
	install := func(ctx context.Context) error {
		for _, object := range backwards {
			resource, u := s.mapped(t, object)
			err := admin.Resource(resource).Delete(ctx, u.GetName(), metav1.DeleteOptions{})
			require.True(t, err == nil || apierrors.IsNotFound(err), "%v", err)
		}
		for _, object := range objects {
			resource, u := s.mapped(t, object)
			if _, err := client.Resource(resource).Create(ctx, u, metav1.CreateOptions{}); err != nil {
				return fmt.Errorf("%s %s: %w", u.GetKind(), u.GetName(), err)
			}
		}
		return nil
	}
	s.until(t, "the rights", install)
	for i, missing := range rights {
		role.Rules = slices.Delete(slices.Clone(rights), i, i+1)
		role, err = api.RbacV1().ClusterRoles().Update(ctx, role, metav1.UpdateOptions{})
		require.NoError(t, err)
		s.until(t, fmt.Sprintf("a refusal without %v on %v", missing.Verbs, missing.Resources), func(ctx context.Context) error {
			if err := install(ctx); !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
				return fmt.Errorf("not refused: %w", err)
			}
			return nil
		})
	}
}
