package deploy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/leaderelection/podsuccessor"
)

// Who may list Pods, and do nothing else with them, can name a successor. Who may not is
// told so, and names nobody, so that the lease is released for all.
func TestTheRightToListPodsIsAllThatNamesASuccessor(t *testing.T) {
	l, _ := laboratory(t)
	api, config, err := l.Observer(0)
	require.NoError(t, err)
	const namespace = "successor"
	user := grant(t, api, config, namespace, rules{own: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"list"}}}})
	_, err = api.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, name := range []string{"own", "other"} {
		pod, err := api.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "carts"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "carts", Image: "none"}}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
		_, err = api.CoreV1().Pods(namespace).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	names := func(user string) (string, error) {
		hook, err := podsuccessor.New(podsuccessor.Config{
			Pods: as(t, config, user).CoreV1().Pods(namespace), Pod: "own", Selector: "app=carts", Bound: 10 * time.Second,
		})
		require.NoError(t, err)
		return hook(t.Context())
	}
	successor, err := names(user)
	require.NoError(t, err)
	assert.Equal(t, "other", successor)

	successor, err = names("system:serviceaccount:elsewhere:nobody")
	assert.Empty(t, successor)
	assert.True(t, apierrors.IsForbidden(err), "%v", err)
	assert.ErrorContains(t, err, "cannot list resource")
}
