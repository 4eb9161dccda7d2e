package deploy_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// A candidate that may watch Pods, and do nothing else with them, learns of every end
// that the API server shows: of one that is there already, of one that comes, and of
// one that comes with the deletion.
func TestTheRightToWatchPodsIsAllThatAWitnessNeeds(t *testing.T) {
	l, _ := laboratory(t)
	api, config, err := l.Observer(0)
	require.NoError(t, err)
	const namespace = "witness"
	user := grant(t, api, config, namespace, rules{own: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"watch"}}}})
	pods := api.CoreV1().Pods(namespace)
	_, err = api.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
	require.NoError(t, err)

	const line = "holdfast-witness 000102030405060708090a0b0c0d0e0f"
	end := func(t *testing.T, pod *corev1.Pod) {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "manager", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 137, Reason: "Error", ContainerID: "containerd://4711", Message: line + "\n",
		}}}}
		_, err := pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	now := int64(0)
	for name, c := range map[string]struct {
		before, meanwhile func(*testing.T, *corev1.Pod)
	}{
		"ended": {end, func(*testing.T, *corev1.Pod) {}},
		"ends":  {func(*testing.T, *corev1.Pod) {}, end},
		"deleted": {func(*testing.T, *corev1.Pod) {}, func(t *testing.T, pod *corev1.Pod) {
			end(t, pod)
			require.NoError(t, pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
		}},
		"forced": {func(*testing.T, *corev1.Pod) {}, func(t *testing.T, pod *corev1.Pod) {
			require.NoError(t, pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			pod, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "manager", Image: "none"}}}}, metav1.CreateOptions{})
			require.NoError(t, err)
			testimony := fmt.Sprintf("%s %s %s manager %x", namespace, name, pod.UID, sha256.Sum256([]byte(line)))
			c.before(t, pod)
			type answer struct {
				proof witness.Proof
				err   error
			}
			answers := make(chan answer, 1)
			go func() {
				proof, err := (&witness.Pod{Client: as(t, config, user).CoreV1()}).Await(ctx, testimony)
				answers <- answer{proof, err}
			}()
			if name != "ended" {
				select {
				case a := <-answers:
					t.Fatalf("an answer about a Pod that shows nothing: %v", a)
				case <-time.After(time.Second): // the watch is open
				}
			}
			c.meanwhile(t, pod)
			a := <-answers
			if name == "forced" {
				require.ErrorIs(t, a.err, witness.ErrNoProof)
				return
			}
			require.NoError(t, a.err)
			require.NoError(t, a.proof.Check(ctx, testimony))
			t.Log(a.proof.Evidence)
		})
	}

	t.Run("without it", func(t *testing.T) {
		var log bytes.Buffer
		ctx, cancel := context.WithTimeout(klog.NewContext(t.Context(), textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&log)))), 3*time.Second)
		defer cancel()
		other := strings.Replace(user, namespace, "elsewhere", 1)
		testimony := fmt.Sprintf("%s ended 9a1f2b3c-0000-4000-8000-123456789abc manager %x", namespace, sha256.Sum256([]byte(line)))
		_, err := (&witness.Pod{Client: as(t, config, other).CoreV1()}).Await(ctx, testimony)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 1, strings.Count(log.String(), "The holder's Pod may not be watched"), log.String())
		assert.Contains(t, log.String(), `cannot watch resource`)
	})
}

// as returns a client that is another user.
func as(t *testing.T, config *rest.Config, user string) kubernetes.Interface {
	t.Helper()
	impersonating := rest.CopyConfig(config)
	impersonating.Impersonate.UserName = user
	client, err := kubernetes.NewForConfig(impersonating)
	require.NoError(t, err)
	return client
}
