package main

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/holdfast-go/holdfast/internal/manifests"
)

func TestTheProgramIsLedToTheRelay(t *testing.T) {
	deployment, err := manifests.The[*appsv1.Deployment]("deploy/deployment.yaml")
	require.NoError(t, err)
	pod := deployment.Spec.Template.Spec
	require.Len(t, pod.InitContainers, 1)
	require.Len(t, pod.Containers, 1)
	sidecar, program := pod.InitContainers[0], pod.Containers[0]
	assert.Equal(t, corev1.ContainerRestartPolicyAlways, *sidecar.RestartPolicy, "a sidecar, which ends after the program")
	assert.Empty(t, sidecar.Env, "it dials where the kubelet says")

	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	o, err := parse(sidecar.Args, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"10.96.0.1:443"}, o.to)
	host, port, err := net.SplitHostPort(o.listen)
	require.NoError(t, err)
	variables := map[string]string{}
	for _, v := range program.Env {
		variables[v.Name] = v.Value
	}
	assert.Equal(t, map[string]string{"KUBERNETES_SERVICE_HOST": "kubernetes.default.svc", "KUBERNETES_SERVICE_PORT": port}, variables)
	require.Len(t, pod.HostAliases, 1)
	assert.Equal(t, corev1.HostAlias{IP: host, Hostnames: []string{"kubernetes.default.svc"}}, pod.HostAliases[0])

	_, served, err := net.SplitHostPort(o.address)
	require.NoError(t, err)
	assert.Equal(t, "8081", served)
	assert.EqualValues(t, 8081, sidecar.Ports[0].ContainerPort)
	assert.Equal(t, "/healthz", sidecar.StartupProbe.HTTPGet.Path)
	assert.Equal(t, sidecar.Ports[0].Name, sidecar.LivenessProbe.HTTPGet.Port.StrVal)
}
