package deploy_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
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
func grant(t *testing.T, api kubernetes.Interface, config *rest.Config, namespace string, r rules) (user string) {
	user = "system:serviceaccount:" + namespace + ":" + name
	account := stage.Account(namespace, name)
	require.NoError(t, stage.Make(t.Context(), config, stage.Rights(namespace, name, r.own, account)...))
	require.NoError(t, stage.Make(t.Context(), config, stage.RightsEverywhere(namespace, r.everywhere, account)...))
	for _, rule := range slices.Concat(r.own, r.everywhere) {
		labtest.UntilAllowed(t, api, user, namespace, name, rule)
	}
	return user
}
