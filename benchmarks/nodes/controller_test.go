package nodes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
	"github.com/holdfast-go/holdfast/internal/manifests"
)

const controllerNamespace = "kube-system"

// The example controller as its manifests have it (not root, a file system that it
// cannot write to, limits) is replaced at once with the flag and the right that
// docs/witness.md names, and by the lease without them.
func TestTheExampleControllerIsReplacedAtOnce(t *testing.T) {
	s := theStage(t)
	grantController(t, s)
	with := replaceController(t, s, "with", "-leader-elect-witness-pod")
	without := replaceController(t, s, "without")
	t.Logf("figure: the example controller is replaced %s after its death with the Pod witness, %s without",
		with.Round(time.Millisecond), without.Round(time.Millisecond))
	assert.Less(t, with, 5*time.Second, "it has not waited for the lease")
	assert.Greater(t, without, 10*time.Second, "without a witness there is only the lease")
}

func grantController(t *testing.T, s *Stage) {
	ca, err := os.ReadFile(filepath.Join(s.Lab.Dir(), "ca.crt"))
	require.NoError(t, err)
	require.NoError(t, s.prepareNamespace(t.Context(), controllerNamespace, string(ca)))
	const file = "../../examples/controller/deploy/rbac.yaml"
	role, err := manifests.The[*rbacv1.Role](file)
	require.NoError(t, err)
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"watch"}})
	for i := range role.Rules { // the two plays have a lease each
		if role.Rules[i].Resources[0] == "leases" && len(role.Rules[i].ResourceNames) > 0 {
			role.Rules[i].ResourceNames = []string{"hosts-with", "hosts-without"}
		}
	}
	binding, err := manifests.The[*rbacv1.RoleBinding](file)
	require.NoError(t, err)
	clusterRole, err := manifests.The[*rbacv1.ClusterRole](file)
	require.NoError(t, err)
	clusterBinding, err := manifests.The[*rbacv1.ClusterRoleBinding](file)
	require.NoError(t, err)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: controllerNamespace, Name: "hosts-controller"}}
	require.NoError(t, stage.Make(t.Context(), s.config, account, role, binding, clusterRole, clusterBinding))
}

// replaceController kills the leader of two replicas on two nodes, and returns the time
// from its end until the first write of another holder left.
func replaceController(t *testing.T, s *Stage, name string, flags ...string) time.Duration {
	ctx := bounded(t)
	deployment, err := manifests.The[*appsv1.Deployment]("../../examples/controller/deploy/deployment.yaml")
	require.NoError(t, err)
	lease := "hosts-" + name
	var leader *corev1.Pod
	var leads string
	pods := s.api.CoreV1().Pods(controllerNamespace)
	for i, n := range s.Nodes {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("hosts-%s-%d", name, i)},
			Spec:       *deployment.Spec.Template.Spec.DeepCopy(),
		}
		pod.Spec.NodeName, pod.Spec.Affinity = n.Name(), nil
		pod.Spec.RestartPolicy = corev1.RestartPolicyNever // a replica in its place would lead at once by the other witness
		pod.Spec.Containers[0].Image = controllerImage
		pod.Spec.Containers[0].ImagePullPolicy = corev1.PullNever
		pod.Spec.Containers[0].Args = append(append(pod.Spec.Containers[0].Args, "-leader-elect-resource-name="+lease), flags...)
		node.PodAccess(&pod.Spec)
		_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
		require.NoError(t, err)
		t.Cleanup(func() {
			now := int64(0)
			assert.NoError(t, pods.Delete(context.Background(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
		})
		pod, err = s.untilRuns(ctx, controllerNamespace, pod.Name)
		require.NoError(t, err)
		if i == 0 {
			leader = pod
			require.NoError(t, until(ctx, pod.Name+" to lead", func() (bool, error) {
				for _, r := range s.leases.of(lease) {
					leads = r.Holder
				}
				return leads != "", nil
			}))
		}
	}
	records := len(s.leases.of(lease))
	require.NoError(t, until(ctx, "two renewals beside the standby", func() (bool, error) { return len(s.leases.of(lease)) >= records+2, nil }))
	process, err := s.Process(leader, leader.Spec.Containers[0].Name)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	died := process.Died()
	require.NoError(t, process.Close())
	var next Record
	require.NoError(t, until(ctx, "another to hold the lease", func() (bool, error) {
		for _, r := range s.leases.of(lease) {
			if r.Holder != leads && r.Holder != "" {
				next = r
				return true, nil
			}
		}
		return false, nil
	}))
	return next.Renewed.Sub(died)
}
