package scenario

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
)

const manifestOfRights = `---
apiVersion: v1
kind: ServiceAccount
metadata: {name: op}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: op, namespace: kube-system}
rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: op}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: op}
subjects: [{kind: ServiceAccount, name: op, namespace: kube-system}]
`

func TestTheRightsOfAManifestAreTheCopies(t *testing.T) {
	objects, err := rights([]byte(manifestOfRights), "election")
	require.NoError(t, err)
	require.Len(t, objects, 4, "each with its namespace")
	assert.Equal(t, "kube-system", objects[1].(*rbacv1.Role).Namespace)
	binding := objects[3].(*rbacv1.RoleBinding)
	assert.Equal(t, "election", binding.Namespace, "the namespace of the Lease, as kubectl -n would have it")
	require.Len(t, binding.Subjects, 2)
	assert.Equal(t, "contender-2", binding.Subjects[1].Name)

	for says, manifest := range map[string]string{
		"it holds a Pod":            "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n",
		"read a manifest of rights": "rules: [}",
	} {
		_, err := rights([]byte(manifest), "election")
		assert.ErrorContains(t, err, says)
	}
}

func TestTheEndOfAProgramsOutputIsQuotedInWholeLines(t *testing.T) {
	var out tail
	assert.Equal(t, "it has written nothing", out.String())
	for range 1000 {
		_, err := out.Write([]byte("a line\n"))
		require.NoError(t, err)
	}
	_, _ = out.Write([]byte("error: no kubeconfig\n"))
	assert.Regexp(t, `^its output ends:\n(\ta line\n)+\terror: no kubeconfig$`, out.String())
}
