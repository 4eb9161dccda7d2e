package podlabel

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const namespace, value = "shop", "carts"

// pods is a fake API with Pods, which checks the conditions of a patch as an API
// server does, and that no two Pods bear the label at once.
type pods struct {
	t      *testing.T
	client *fake.Clientset

	mu      sync.Mutex
	version int
	// bearing and patches are the names of the Pods that bear the label, and of those
	// that were patched, in order.
	bearing, patches []string
}

func newPods(t *testing.T, objects ...*corev1.Pod) *pods {
	p := &pods{t: t, client: fake.NewClientset(), version: 1}
	for _, pod := range objects {
		require.NoError(t, p.client.Tracker().Add(pod))
		if pod.Labels[DefaultKey] == value {
			p.bearing = append(p.bearing, pod.Name)
		}
	}
	p.client.PrependReactor("patch", "pods", p.patch)
	return p
}

// pod returns a Pod that bears the label or does not.
func pod(name string, bears bool) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name), ResourceVersion: "1", Labels: map[string]string{"app": "carts"},
	}}
	if bears {
		pod.Labels[DefaultKey] = value
	}
	return pod
}

var podResource = schema.GroupResource{Resource: "pods"}

// patch makes the patch of an action as the API server does.
func (p *pods) patch(action clienttesting.Action) (bool, runtime.Object, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := action.(clienttesting.PatchAction)
	assert.Equal(p.t, "status", of.GetSubresource())
	assert.Equal(p.t, types.MergePatchType, of.GetPatchType())
	object, err := p.client.Tracker().Get(corev1.SchemeGroupVersion.WithResource("pods"), namespace, of.GetName())
	if err != nil {
		return true, nil, err
	}
	pod := object.(*corev1.Pod).DeepCopy()
	var document struct{ Metadata metadata }
	require.NoError(p.t, json.Unmarshal(of.GetPatch(), &document))
	said := document.Metadata
	if said.UID != "" && said.UID != pod.UID {
		return true, nil, apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, pod.Name,
			field.ErrorList{field.Invalid(field.NewPath("metadata", "uid"), said.UID, "field is immutable")})
	}
	if said.ResourceVersion != "" && said.ResourceVersion != pod.ResourceVersion {
		return true, nil, apierrors.NewConflict(podResource, pod.Name, fmt.Errorf("precondition"))
	}
	for key, value := range said.Labels {
		if value == nil {
			delete(pod.Labels, key)
		} else {
			pod.Labels[key] = *value
		}
	}
	p.patches = append(p.patches, pod.Name)
	return true, pod, p.store(pod)
}

// store takes a Pod in.
func (p *pods) store(pod *corev1.Pod) error {
	p.version++
	pod.ResourceVersion = strconv.Itoa(p.version)
	p.bearing = without(p.bearing, pod.Name)
	if pod.Labels[DefaultKey] == value {
		p.bearing = append(p.bearing, pod.Name)
	}
	return p.client.Tracker().Update(corev1.SchemeGroupVersion.WithResource("pods"), pod, namespace)
}

func without(names []string, name string) (rest []string) {
	for _, n := range names {
		if n != name {
			rest = append(rest, n)
		}
	}
	return rest
}

// edit changes a Pod by hand.
func (p *pods) edit(name string, change func(*corev1.Pod)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	object, err := p.client.Tracker().Get(corev1.SchemeGroupVersion.WithResource("pods"), namespace, name)
	require.NoError(p.t, err)
	pod := object.(*corev1.Pod).DeepCopy()
	change(pod)
	require.NoError(p.t, p.store(pod))
}

// bearers returns who bears the label now.
func (p *pods) bearers() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.bearing, " ")
}

func (p *pods) patched() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.patches, " ")
}

func (p *pods) label(name string) *Label {
	label, err := New(Config{Pods: p.client.CoreV1().Pods(namespace), Pod: name, UID: types.UID("uid-of-" + name), Value: value})
	require.NoError(p.t, err)
	return label
}

// started runs Start until the returned function is called, which waits for its end.
func started(t *testing.T, label *Label) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, label.Start(ctx)) })
	return func() { cancel(); running.Wait() }
}
