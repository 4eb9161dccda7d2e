package fenced

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

func unstructuredOf(content map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: content}
}

func (s *stage) fence(t *testing.T, resources ...string) fence.Fence {
	t.Helper()
	f := fence.Fence{Lease: s.lease, ServiceAccount: types.NamespacedName{Name: account}}
	for _, text := range resources {
		r, err := fence.ParseResource(text)
		require.NoError(t, err)
		f.Resources = append(f.Resources, r)
	}
	return f
}

// writes are kinds of writes, each of which can be made again and again.
var writes = map[string]func(context.Context, kubernetes.Interface) error{
	"create, dry": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().ConfigMaps(namespace).Create(ctx, configMap("new"), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	},
	"create": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "made-", Labels: map[string]string{"made": "here"}}}, metav1.CreateOptions{})
		return err
	},
	"update": func(ctx context.Context, c kubernetes.Interface) error {
		it := configMap("it")
		it.Data = map[string]string{"at": time.Now().String()}
		_, err := c.CoreV1().ConfigMaps(namespace).Update(ctx, it, metav1.UpdateOptions{})
		return err
	},
	"patch": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().ConfigMaps(namespace).Patch(ctx, "it", types.MergePatchType, []byte(`{"data":{"patched":"`+time.Now().String()+`"}}`), metav1.PatchOptions{})
		return err
	},
	"server-side apply": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().ConfigMaps(namespace).Apply(ctx, applycorev1.ConfigMap("applied", namespace).WithData(map[string]string{"at": time.Now().String()}), metav1.ApplyOptions{FieldManager: "test", Force: true})
		return err
	},
	"delete, dry": func(ctx context.Context, c kubernetes.Interface) error {
		return c.CoreV1().ConfigMaps(namespace).Delete(ctx, "it", metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}})
	},
	"deletion of many": func(ctx context.Context, c kubernetes.Interface) error {
		return c.CoreV1().ConfigMaps(namespace).DeleteCollection(ctx, metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}, metav1.ListOptions{LabelSelector: "kept=here"})
	},
	"status": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.AppsV1().Deployments(namespace).Patch(ctx, "it", types.MergePatchType, []byte(`{"status":{"observedGeneration":1}}`), metav1.PatchOptions{}, "status")
		return err
	},
	"scale": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.AppsV1().Deployments(namespace).UpdateScale(ctx, "it", &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: "it", Namespace: namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: 3}}, metav1.UpdateOptions{})
		return err
	},
	"eviction": func(ctx context.Context, c kubernetes.Interface) error {
		return c.PolicyV1().Evictions(namespace).Evict(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "evicted", Namespace: namespace}, DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}})
	},
	"of no namespace": func(ctx context.Context, c kubernetes.Interface) error {
		_, err := c.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "new"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	},
}

var guarded = []string{"configmaps", "deployments.apps/status", "deployments.apps/scale", "pods/eviction", "namespaces"}

// unstamped are the writes on which the API server stamps no time.
var unstamped = []string{"delete, dry", "deletion of many", "scale"}

// objects are what the writes are made to.
func (s *stage) objects(t *testing.T) {
	t.Helper()
	ctx, api := t.Context(), s.admin[0]
	it := configMap("it") // with data: the API server tracks no fields of what is created without any
	it.Data = map[string]string{"made": "here"}
	_, err := api.CoreV1().ConfigMaps(namespace).Create(ctx, it, metav1.CreateOptions{})
	require.NoError(t, err)
	kept := configMap("kept")
	kept.Labels = map[string]string{"kept": "here"}
	_, err = api.CoreV1().ConfigMaps(namespace).Create(ctx, kept, metav1.CreateOptions{})
	require.NoError(t, err)
	labels := map[string]string{"app": "it"}
	pod := corev1.PodSpec{Containers: []corev1.Container{{Name: "it", Image: "none"}}}
	_, err = api.AppsV1().Deployments(namespace).Create(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "it"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = api.CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "evicted"}, Spec: pod}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// The holder writes whatever is guarded, and nobody else of its account does, in
// each way that the API has, at API servers of each minor version.
func TestWhoMayWrite(t *testing.T) {
	for _, minor := range lab.Minors() {
		t.Run(minor, func(t *testing.T) {
			s := newStage(t, minor)
			a, b := s.pods[0], s.pods[1]
			s.objects(t)
			s.holds(t, a.identity, 0)
			s.install(t, s.fence(t, guarded...))
			unbound, _ := s.clients(t, nil)

			s.everyWrite(t, "the holder", a.clients[0], nothing)
			s.everyWrite(t, "another Pod", b.clients[0], everything)
			s.everyWrite(t, "a token without a Pod", unbound[0], everything)
			s.everyWrite(t, "another account", s.admin[0], nothing)

			s.holds(t, b.identity, 0)
			s.heard(t, a.clients[0])
			s.everyWrite(t, "the new holder", b.clients[0], nothing)
			s.everyWrite(t, "the old holder", a.clients[0], everything)

			s.holds(t, "", 0)
			s.heard(t, b.clients[0])
			s.everyWrite(t, "who has released", b.clients[0], everything)

			s.holds(t, b.identity, 20*time.Second)
			s.until(t, "the end of the lease", func(ctx context.Context) error { return notRefused(s, writes["update"](ctx, b.clients[0])) })
			s.everyWrite(t, "the holder of a lease that has expired", b.clients[0], func(write string) bool {
				return !slices.Contains(unstamped, write)
			})
		})
	}
}

func nothing(string) bool    { return false }
func everything(string) bool { return true }

// heard waits until the API server refuses who no longer holds the lease.
func (s *stage) heard(t *testing.T, old kubernetes.Interface) {
	t.Helper()
	s.until(t, "the takeover", func(ctx context.Context) error { return notRefused(s, writes["create, dry"](ctx, old)) })
}

func notRefused(s *stage, err error) error {
	if fence.Refused(err, s.lease) {
		return nil
	}
	return &unrefused{err}
}

type unrefused struct{ err error }

func (u *unrefused) Error() string { return fmt.Sprintf("not refused by the fence: %v", u.err) }
func (u *unrefused) Unwrap() error { return u.err }

// everyWrite makes every write and checks which of them the fence refuses.
func (s *stage) everyWrite(t *testing.T, who string, client kubernetes.Interface, refused func(write string) bool) {
	t.Helper()
	for name, write := range writes {
		err := write(t.Context(), client)
		if refused(name) {
			assert.True(t, fence.Refused(err, s.lease), "%s, %s: must be refused by the fence: %v", who, name, err)
		} else {
			assert.NoError(t, err, "%s, %s", who, name)
		}
	}
}
