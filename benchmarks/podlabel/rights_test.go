package podlabel

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/leaderelection/podlabel"
)

func TestTheRightsAreEnough(t *testing.T) {
	s := newScene(t, "enough", rights(t))
	require.Equal(t, [2]bool{true, false}, s.bears())
	began := time.Now()
	end := s.lead()
	require.Eventually(t, func() bool { return s.bears() == [2]bool{false, true} }, soon, often)
	t.Logf("figure: the label has moved within %v", time.Since(began).Round(time.Millisecond))
	end()
	assert.Equal(t, [2]bool{false, false}, s.bears())
}

func TestTheRightsAreTheLeast(t *testing.T) {
	for lost, want := range map[string][2]bool{"pods": {true, false}, "pods/status": {true, false}} {
		t.Run(lost, func(t *testing.T) {
			less := slices.DeleteFunc(rights(t), func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, lost) })
			s := newScene(t, "less-"+strings.ReplaceAll(lost, "/", "-"), less)
			s.lead()
			require.Never(t, func() bool { return s.bears() != want }, never, often)
			err := s.label().Drop(t.Context())
			assert.Equal(t, lost == "pods/status", apierrors.IsForbidden(err), "%v", err)
			t.Logf("figure: rights: without those on %q no label moves", lost)
		})
	}
}

// Who may patch the status of a Pod may not change what runs in it.
func TestTheRightsDoNotReachTheImage(t *testing.T) {
	s := newScene(t, "image", rights(t))
	document := []byte(`{"metadata":{"labels":{"seen":"yes"}},"spec":{"containers":[{"name":"carts","image":"other"}]}}`)
	_, err := s.client.CoreV1().Pods(s.namespace).Patch(t.Context(), "old", types.StrategicMergePatchType, document, metav1.PatchOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	_, err = s.client.CoreV1().Pods(s.namespace).Patch(t.Context(), "old", types.StrategicMergePatchType, document, metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	assert.Equal(t, "yes", s.get("old").Labels["seen"])
	assert.Equal(t, "none", s.get("old").Spec.Containers[0].Image)
}

// The UID and the resourceVersion in a patch are conditions.
func TestAPatchOfAnotherPodOfThatNameIsRefused(t *testing.T) {
	s := newScene(t, "conditions", rights(t))
	label, err := podlabel.New(podlabel.Config{Pods: s.client.CoreV1().Pods(s.namespace), Pod: "old", UID: "of-its-predecessor", Value: account})
	require.NoError(t, err)
	require.NoError(t, label.Drop(t.Context()), "it is not this Pod any more")
	assert.Equal(t, [2]bool{true, false}, s.bears())

	stale := s.get("old").ResourceVersion
	_, err = s.admin.CoreV1().Pods(s.namespace).Patch(t.Context(), "old", types.MergePatchType, []byte(`{"metadata":{"labels":{"changed":"yes"}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	document := []byte(`{"metadata":{"resourceVersion":"` + stale + `","labels":{"` + podlabel.DefaultKey + `":null}}}`)
	_, err = s.client.CoreV1().Pods(s.namespace).Patch(t.Context(), "old", types.MergePatchType, document, metav1.PatchOptions{}, "status")
	require.True(t, apierrors.IsConflict(err), "%v", err)
	assert.Equal(t, [2]bool{true, false}, s.bears())
}
