package scenario_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/labtest"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
	"github.com/holdfast-go/holdfast/internal/manifests"
)

const (
	controllerNamespace = "kube-system"
	controllerName      = "hosts-controller" // of the Lease, the ConfigMap and the account
	controllerAddress   = "127.0.0.1:8080"
	controllerSoon      = 10 * time.Second
	controllerOften     = 20 * time.Millisecond
)

// replica is a controller on a host of its own.
type replica struct {
	name    string
	host    *lab.Host
	process *lab.Process
	log     labtest.Log
}

// The example controller, started as its Deployment would start it and with
// the rights that its manifests give and no others.
func TestControllerHandsOverAndGoesOnPublishing(t *testing.T) {
	l, _ := laboratory(t)
	ctx := t.Context()
	require.NoError(t, l.SetBackends(0, 1, 2))
	api, config, err := l.Observer(2)
	require.NoError(t, err)
	binary, err := labtest.BuildController(ctx, t.TempDir())
	require.NoError(t, err)
	applyRights(t, api, config)
	kubeconfig, err := l.Kubeconfig("system:serviceaccount:" + controllerNamespace + ":" + controllerName)
	require.NoError(t, err)

	replicas := []*replica{{name: "hosts-a"}, {name: "hosts-b"}}
	for _, r := range replicas {
		r.start(t, l, binary, kubeconfig)
	}
	for _, r := range replicas {
		require.Eventually(t, func() bool { return r.answers(ctx, "/readyz") }, controllerSoon, controllerOften, "%s is not ready:\n%s", r.name, &r.log)
		assert.True(t, r.answers(ctx, "/healthz"), r.name)
	}

	first := addService(t, api, "first", "")
	untilPublished(t, api, first, replicas)
	leader, other := leaderOf(t, api, replicas), replicas[0]
	if other == leader {
		other = replicas[1]
	}
	assert.NotContains(t, other.log.String(), "Hosts written", "%s wrote without leading", other.name)
	addService(t, api, "headless", corev1.ClusterIPNone)
	require.Eventually(t, func() bool {
		events, err := api.CoreV1().Events(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=headless,reason=NoClusterIP"})
		return err == nil && len(events.Items) > 0
	}, controllerSoon, controllerOften, "no event says that a headless Service is not published")

	terminated := time.Now()
	require.NoError(t, leader.process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return holderIs(ctx, api, other) }, controllerSoon, controllerOften, "%s does not lead:\n%s", other.name, &other.log)
	handover := time.Since(terminated)
	second := addService(t, api, "second", "")
	untilPublished(t, api, second, replicas)
	select {
	case <-leader.process.Done():
	case <-time.After(controllerSoon):
		require.Fail(t, "still running after SIGTERM", "%s:\n%s", leader.name, &leader.log)
	}
	t.Logf("figure: controller: %v from SIGTERM until the other replica held the lease (polled every %v)", handover.Round(time.Millisecond), controllerOften)
	assert.Zero(t, leader.process.ExitCode(), "%s:\n%s", leader.name, &leader.log)
	assert.Less(t, handover, scenario.Short.LeaseDuration, "the lease ran out instead of being released")
	assert.Equal(t, 1, strings.Count(configMapOf(ctx, api), " first.default."), "the second leader lost what the first had published")

	takeAway(t, api)
	select {
	case <-other.process.Done():
	case <-time.After(controllerSoon):
		require.Fail(t, "still running without the lease", "%s:\n%s", other.name, &other.log)
	}
	assert.Equal(t, 1, other.process.ExitCode(), "%s:\n%s", other.name, &other.log)
	assert.Contains(t, other.log.String(), "leadership was lost")
	for _, r := range replicas {
		assert.NotContains(t, r.log.String(), "forbidden", "%s lacks a right", r.name)
		if t.Failed() {
			t.Logf("log of %s:\n%s", r.name, &r.log)
		}
	}
}

// start runs the controller on a host of its own.
func (r *replica) start(t *testing.T, l *lab.Lab, binary, kubeconfig string) {
	var err error
	r.host, err = l.NewHost(r.name)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.host.Close()) }) // ends the process too
	r.process, err = r.host.Start(lab.Command{Path: binary, Stdout: &r.log, Stderr: &r.log, Args: []string{
		"-kubeconfig=" + kubeconfig,
		"-namespace=" + controllerNamespace,
		"-leader-elect-resource-namespace=" + controllerNamespace,
		"-leader-elect-resource-name=" + controllerName,
		"-configmap=" + controllerName,
		"-health-address=" + controllerAddress,
		fmt.Sprintf("-leader-elect-lease-duration=%v", scenario.Short.LeaseDuration),
		fmt.Sprintf("-leader-elect-renew-deadline=%v", scenario.Short.RenewDeadline),
		fmt.Sprintf("-leader-elect-retry-period=%v", scenario.Short.RetryPeriod),
	}})
	require.NoError(t, err)
}

// answers reports whether a health check on the replica's host is passed.
func (r *replica) answers(ctx context.Context, path string) bool {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DialContext: r.host.Dial, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+controllerAddress+path, nil)
	if err != nil {
		return false
	}
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

// applyRights creates the account and the rights that the example's manifests
// describe.
func applyRights(t *testing.T, api kubernetes.Interface, config *rest.Config) {
	ctx := t.Context()
	require.Eventually(t, func() bool {
		_, err := api.CoreV1().Namespaces().Get(ctx, controllerNamespace, metav1.GetOptions{})
		return err == nil
	}, controllerSoon, controllerOften, "the API server did not make %s", controllerNamespace)
	for _, file := range []string{"serviceaccount.yaml", "rbac.yaml"} {
		objects, err := manifests.Read(filepath.Join("..", "..", "examples", "controller", "deploy", file))
		require.NoError(t, err)
		for _, object := range objects {
			require.NoError(t, stage.Make(t.Context(), config, object.(client.Object)), file)
		}
	}
}

// addService creates a labelled Service for the time of the test and returns
// the line that publishes it.
func addService(t *testing.T, api kubernetes.Interface, name, clusterIP string) string {
	services := api.CoreV1().Services(metav1.NamespaceDefault)
	service, err := services.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"hosts.holdfast-go.github.io/publish": "true"}},
		Spec:       corev1.ServiceSpec{ClusterIP: clusterIP, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, services.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}))
	})
	return service.Spec.ClusterIP + " " + name + ".default.cluster.internal\n"
}

// takeAway makes someone else the holder of the lease, as no contender would.
func takeAway(t *testing.T, api kubernetes.Interface) {
	leases := api.CoordinationV1().Leases(controllerNamespace)
	intruder := []byte(`{"spec":{"holderIdentity":"intruder"}}`)
	_, err := leases.Patch(t.Context(), controllerName, types.MergePatchType, intruder, metav1.PatchOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		assert.NoError(t, leases.Delete(ctx, controllerName, metav1.DeleteOptions{}))
		assert.NoError(t, api.CoreV1().ConfigMaps(controllerNamespace).Delete(ctx, controllerName, metav1.DeleteOptions{}))
	})
}

func untilPublished(t *testing.T, api kubernetes.Interface, line string, replicas []*replica) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(configMapOf(t.Context(), api), line) },
		controllerSoon, controllerOften, "never published: %s\n%s:\n%s\n%s:\n%s", line, replicas[0].name, &replicas[0].log, replicas[1].name, &replicas[1].log)
}

func configMapOf(ctx context.Context, api kubernetes.Interface) string {
	configMap, err := api.CoreV1().ConfigMaps(controllerNamespace).Get(ctx, controllerName, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return configMap.Data["services.override"]
}

func leaderOf(t *testing.T, api kubernetes.Interface, replicas []*replica) *replica {
	for _, r := range replicas {
		if holderIs(t.Context(), api, r) {
			return r
		}
	}
	require.Fail(t, "no replica holds the lease")
	return nil
}

// holderIs reports whether r holds the lease; its identity begins with its
// host's name.
func holderIs(ctx context.Context, api kubernetes.Interface, r *replica) bool {
	lease, err := api.CoordinationV1().Leases(controllerNamespace).Get(ctx, controllerName, metav1.GetOptions{})
	return err == nil && lease.Spec.HolderIdentity != nil && strings.HasPrefix(*lease.Spec.HolderIdentity, r.name+"_")
}
