package holdfastctrl_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
)

// A label is a Runnable, and runs in the leader.
func TestThePodOfTheLeaderBearsTheLabel(t *testing.T) {
	s := newStage(t)
	pods := fake.NewClientset().CoreV1().Pods("default")
	replicas := map[string]*replica{}
	for _, name := range []string{"a", "b"} {
		_, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		require.NoError(t, err)
		label, err := podlabel.New(podlabel.Config{Pods: pods, Pod: name, Value: "work"})
		require.NoError(t, err)
		replicas[name] = s.replica(t, name, lasting, nil)
		require.NoError(t, replicas[name].Add(label))
	}
	untilBorneBy := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			bearing, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: podlabel.DefaultKey + "=work"})
			return err == nil && len(bearing.Items) == 1 && bearing.Items[0].Name == want
		}, patience, 5*time.Millisecond, "the Pod %s never bore the label alone", want)
	}
	replicas["a"].start(t)
	untilBorneBy("a")
	replicas["b"].start(t)
	replicas["a"].stop()
	assert.NoError(t, within(t, replicas["a"].ended, "the end of a"))
	untilBorneBy("b")
}
