package deploy_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
)

// right is one verb on one resource, by one rule of the manifests.
type right struct{ verb, resource string }

func (r right) String() string { return r.verb + " " + r.resource }

// denied is what the API server says to who lacks the right.
func (r right) denied() string {
	return fmt.Sprintf("cannot %s resource %q", r.verb, r.resource)
}

// rules are the manifests' rights: in the controller's own namespace, and in all.
type rules struct{ own, everywhere []rbacv1.PolicyRule }

// granted reads the rules from the manifests.
func granted(t *testing.T) rules {
	var all rules
	for _, document := range manifest(t, "rbac.yaml") {
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		require.NoError(t, err)
		switch o := object.(type) {
		case *rbacv1.Role:
			all.own = append(all.own, o.Rules...)
		case *rbacv1.ClusterRole:
			all.everywhere = append(all.everywhere, o.Rules...)
		}
	}
	require.NotEmpty(t, all.own)
	require.NotEmpty(t, all.everywhere)
	return all
}

// rights lists every verb of every rule.
func (r rules) rights() []right {
	var all []right
	for _, rule := range slices.Concat(r.own, r.everywhere) {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				all = append(all, right{verb, resource})
			}
		}
	}
	return all
}

// without returns the rules less one right.
func (r rules) without(lost right) rules {
	strip := func(from []rbacv1.PolicyRule) []rbacv1.PolicyRule {
		var kept []rbacv1.PolicyRule
		for _, rule := range from {
			rule := *rule.DeepCopy()
			if slices.Contains(rule.Resources, lost.resource) {
				rule.Verbs = slices.DeleteFunc(rule.Verbs, func(verb string) bool { return verb == lost.verb })
			}
			if len(rule.Verbs) > 0 {
				kept = append(kept, rule)
			}
		}
		return kept
	}
	return rules{strip(r.own), strip(r.everywhere)}
}

// grant makes an account in a namespace of its own that has these rights and no
// others, and returns it when the API server knows.
func grant(t *testing.T, api kubernetes.Interface, namespace string, r rules) (user string) {
	ctx := t.Context()
	user = "system:serviceaccount:" + namespace + ":" + name
	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	wide := metav1.ObjectMeta{Name: namespace}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}}
	_, err := api.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: wide}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: r.own}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: wide, Rules: r.everywhere}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: wide, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, rule := range slices.Concat(r.own, r.everywhere) {
		untilAllowed(t, api, user, namespace, rule)
	}
	return user
}

// untilAllowed waits until the authorizer has seen a rule, which it learns of by
// a watch.
func untilAllowed(t *testing.T, api kubernetes.Interface, user, namespace string, rule rbacv1.PolicyRule) {
	ask := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Group: rule.APIGroups[0], Resource: rule.Resources[0], Verb: rule.Verbs[0], Name: name,
		}}}
	require.Eventually(t, func() bool {
		answer, err := api.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), ask, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed
	}, 30*time.Second, 20*time.Millisecond, "%s never got %v", user, rule)
}
