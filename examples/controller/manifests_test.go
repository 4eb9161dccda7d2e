package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-go/holdfast/internal/manifests"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

// the returns the only manifest of type T, parsed so that a field which does not exist
// is an error.
func the[T runtime.Object](t *testing.T) T {
	found, err := manifests.The[T]("deploy/*.yaml")
	require.NoError(t, err)
	return found
}

func deployed(t *testing.T) (*appsv1.Deployment, corev1.Container, options) {
	deployment := the[*appsv1.Deployment](t)
	require.Len(t, deployment.Spec.Template.Spec.Containers, 1)
	container := deployment.Spec.Template.Spec.Containers[0]
	require.Equal(t, "metadata.namespace", container.Env[0].ValueFrom.FieldRef.FieldPath)
	var args []string
	for _, arg := range container.Args {
		args = append(args, strings.ReplaceAll(arg, "$(NAMESPACE)", deployment.Namespace))
	}
	o, err := parse(args, io.Discard)
	require.NoError(t, err)
	return deployment, container, o
}

func TestReplicasStandOnDifferentNodes(t *testing.T) {
	deployment, _, _ := deployed(t)
	assert.EqualValues(t, 2, *deployment.Spec.Replicas)
	terms := deployment.Spec.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	require.Len(t, terms, 1)
	assert.Equal(t, corev1.LabelHostname, terms[0].TopologyKey)
	assert.Equal(t, deployment.Spec.Selector.MatchLabels, terms[0].LabelSelector.MatchLabels)
	assert.Equal(t, deployment.Spec.Selector.MatchLabels, deployment.Spec.Template.Labels)
	assert.Zero(t, deployment.Spec.Strategy.RollingUpdate.MaxSurge.IntValue(), "a third Pod may have no node to go to")
}

func TestTheContainerMayDoNothingButItsWork(t *testing.T) {
	deployment, container, _ := deployed(t)
	assert.True(t, *deployment.Spec.Template.Spec.SecurityContext.RunAsNonRoot)
	assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, deployment.Spec.Template.Spec.SecurityContext.SeccompProfile.Type)
	assert.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
	assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
	assert.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)
	assert.False(t, container.Resources.Requests.Cpu().IsZero())
	assert.False(t, container.Resources.Limits.Memory().IsZero())
}

func TestProbesAskWhereHealthIsServed(t *testing.T) {
	_, container, o := deployed(t)
	require.Len(t, container.Ports, 1)
	assert.Equal(t, ":8080", o.healthAddress)
	assert.EqualValues(t, 8080, container.Ports[0].ContainerPort)
	assert.Equal(t, "/healthz", container.LivenessProbe.HTTPGet.Path)
	assert.Equal(t, "/readyz", container.ReadinessProbe.HTTPGet.Path)
	assert.Equal(t, container.Ports[0].Name, container.LivenessProbe.HTTPGet.Port.StrVal)
	assert.Equal(t, container.Ports[0].Name, container.ReadinessProbe.HTTPGet.Port.StrVal)
}

func TestTheGracePeriodIsLongEnoughToRelease(t *testing.T) {
	deployment, _, o := deployed(t)
	grace := time.Duration(*deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	election, err := o.election.Election()
	require.NoError(t, err)
	// The work's end (StopTimeout), the release, and the health server's last answers.
	assert.Greater(t, grace, election.RenewDeadline+election.LeaseDuration+healthTimeout)
}

func TestRightsAreExactlyThoseThatAreUsed(t *testing.T) {
	_, _, o := deployed(t)
	require.Equal(t, o.namespace, o.election.ResourceNamespace, "one Role has the rights on both")
	assert.ElementsMatch(t, []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{o.election.ResourceName}, Verbs: []string{"get", "update", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{o.configMap}, Verbs: []string{"list", "watch", "update"}},
	}, the[*rbacv1.Role](t).Rules)
	assert.ElementsMatch(t, []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"list", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
	}, the[*rbacv1.ClusterRole](t).Rules)
}

func TestRightsAreBoundToTheDeploymentsServiceAccount(t *testing.T) {
	deployment, _, o := deployed(t)
	account := the[*corev1.ServiceAccount](t)
	assert.Equal(t, account.Name, deployment.Spec.Template.Spec.ServiceAccountName)
	subject := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: account.Namespace}}
	role, local := the[*rbacv1.Role](t), the[*rbacv1.RoleBinding](t)
	clusterRole, everywhere := the[*rbacv1.ClusterRole](t), the[*rbacv1.ClusterRoleBinding](t)
	assert.Equal(t, subject, local.Subjects)
	assert.Equal(t, subject, everywhere.Subjects)
	assert.Equal(t, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name}, local.RoleRef)
	assert.Equal(t, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole.Name}, everywhere.RoleRef)
	namespaces := []string{account.Namespace, deployment.Namespace, role.Namespace, local.Namespace, o.namespace, o.election.ResourceNamespace}
	assert.Len(t, slices.Compact(namespaces), 1, "all in one namespace")
}

// The fence's manifests are those that the command in their head makes.
func TestTheFenceGuardsWhatTheLeaderWrites(t *testing.T) {
	content, err := os.ReadFile("deploy/fence/fence.yaml")
	require.NoError(t, err)
	account := the[*corev1.ServiceAccount](t)
	_, _, o := deployed(t)
	want, err := fence.Fence{
		Lease:          types.NamespacedName{Namespace: account.Namespace, Name: o.election.ResourceName},
		ServiceAccount: types.NamespacedName{Name: account.Name},
		Resources:      []fence.Resource{{Name: "configmaps", Operations: []fence.Operation{fence.Create, fence.Update}}},
		Namespaces:     []string{account.Namespace},
	}.YAML()
	require.NoError(t, err)
	head, manifests, found := strings.Cut(string(content), "---\n")
	require.True(t, found)
	assert.Contains(t, head, "go run ./leaderelection/fence/cmd/fence -lease kube-system/hosts-controller")
	assert.Equal(t, string(want), "---\n"+manifests)
}

// What the README deletes is what the fence's file makes, backwards, but for the
// keeper.
func TestTheFenceIsTakenAwayBackwards(t *testing.T) {
	content, err := os.ReadFile("deploy/fence/fence.yaml")
	require.NoError(t, err)
	var made []string
	_, manifests, _ := strings.Cut(string(content), "---\n")
	for document := range strings.SplitSeq(manifests, "---\n") {
		var object metav1.PartialObjectMetadata
		require.NoError(t, yaml.Unmarshal([]byte(document), &object))
		if object.Name != fence.Keeper {
			made = append(made, "kubectl delete "+strings.ToLower(object.Kind)+" "+object.Name)
		}
	}
	slices.Reverse(made)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var deleted []string
	for line := range strings.Lines(string(readme)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "kubectl delete validatingadmission") {
			deleted = append(deleted, line)
		}
	}
	assert.Equal(t, made, deleted)
}
