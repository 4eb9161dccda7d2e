package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/holdfast-go/holdfast/internal/manifests"
	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
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
	container := deployment.Spec.Template.Spec.Containers[0]
	var args []string
	for _, arg := range container.Args {
		args = append(args, strings.ReplaceAll(arg, "$(POD_NAMESPACE)", deployment.Namespace))
	}
	o, err := parse(args, io.Discard)
	require.NoError(t, err)
	return deployment, container, o
}

func TestRightsAreThoseThatAreUsed(t *testing.T) {
	_, _, o := deployed(t)
	role := the[*rbacv1.Role](t)
	assert.Equal(t, o.election.ResourceNamespace, role.Namespace)
	assert.Equal(t, []rbacv1.PolicyRule{
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{o.election.ResourceName}, Verbs: []string{"get", "update", "watch"}},
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}},
		{APIGroups: []string{""}, Resources: []string{"pods/status"}, Verbs: []string{"patch"}},
	}, role.Rules)
	deployment, account, binding := the[*appsv1.Deployment](t), the[*corev1.ServiceAccount](t), the[*rbacv1.RoleBinding](t)
	assert.Equal(t, account.Name, deployment.Spec.Template.Spec.ServiceAccountName)
	assert.Equal(t, []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: account.Namespace}}, binding.Subjects)
	assert.Equal(t, role.Name, binding.RoleRef.Name)
}

func TestTheServiceSelectsTheLeader(t *testing.T) {
	deployment, container, o := deployed(t)
	service := the[*corev1.Service](t)
	want := map[string]string{podlabel.DefaultKey: o.labelValue}
	for key, value := range deployment.Spec.Template.Labels {
		want[key] = value
	}
	assert.Equal(t, want, service.Spec.Selector)
	assert.NotContains(t, deployment.Spec.Selector.MatchLabels, podlabel.DefaultKey)
	var names []string
	for _, port := range container.Ports {
		names = append(names, port.Name)
	}
	assert.Contains(t, names, service.Spec.Ports[0].TargetPort.StrVal)
	for i, path := range []string{"metadata.namespace", "metadata.name", "metadata.uid"} {
		assert.Equal(t, path, container.Env[i].ValueFrom.FieldRef.FieldPath)
	}
}

func TestTheGracePeriodIsLongEnoughToRelease(t *testing.T) {
	deployment, container, o := deployed(t)
	grace := time.Duration(*deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	election, err := o.election.Election()
	require.NoError(t, err)
	assert.Greater(t, grace, election.StopTimeout+election.RetryPeriod+podlabel.DefaultBound+answerTimeout)
	assert.Equal(t, "/healthz", container.LivenessProbe.HTTPGet.Path)
	assert.Equal(t, "/readyz", container.ReadinessProbe.HTTPGet.Path)
	assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
	assert.True(t, *deployment.Spec.Template.Spec.SecurityContext.RunAsNonRoot)
}
