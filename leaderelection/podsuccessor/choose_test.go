package podsuccessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// pod is a Pod that is ready, changed as the test wants it.
func pod(name, revision string, minute int, changes ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(minute) * time.Minute)),
			Labels: map[string]string{"app": "carts", appsv1.DefaultDeploymentUniqueLabelKey: revision},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue},
		}},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func unready(p *corev1.Pod)     { p.Status.Conditions[1].Status = corev1.ConditionFalse }
func silent(p *corev1.Pod)      { p.Status.Conditions = nil }
func terminating(p *corev1.Pod) { p.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) }
func succeeded(p *corev1.Pod)   { p.Status.Phase = corev1.PodSucceeded }
func ofStatefulSet(p *corev1.Pod) {
	p.Labels[appsv1.ControllerRevisionHashLabelKey] = p.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	delete(p.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
}

func TestWhoLeadsNext(t *testing.T) {
	for name, test := range map[string]struct {
		pods []corev1.Pod
		want string
	}{
		"nobody":                              {},
		"the leader alone":                    {pods: []corev1.Pod{pod("leader", "old", 0)}},
		"the newest revision, not the oldest": {pods: []corev1.Pod{pod("leader", "old", 0), pod("a", "old", 1), pod("b", "new", 9), pod("c", "old", 2)}, want: "b"},
		"its oldest Pod":                      {pods: []corev1.Pod{pod("a", "new", 9), pod("b", "new", 8), pod("c", "old", 2)}, want: "b"},
		"of two as old, by name":              {pods: []corev1.Pod{pod("b", "new", 8), pod("a", "new", 8)}, want: "a"},
		"the leader's own revision is no bar": {pods: []corev1.Pod{pod("leader", "one", 0), pod("b", "one", 2), pod("a", "one", 1)}, want: "a"},
		"a rollback is a new revision":        {pods: []corev1.Pod{pod("a", "1", 0), pod("b", "2", 5), pod("c", "1", 9)}, want: "a"},
		"not one that is not ready":           {pods: []corev1.Pod{pod("a", "old", 1), pod("b", "new", 9, unready)}, want: "a"},
		"nor one that says nothing yet":       {pods: []corev1.Pod{pod("a", "old", 1), pod("b", "new", 9, silent)}, want: "a"},
		"nor one that terminates":             {pods: []corev1.Pod{pod("a", "new", 8, terminating), pod("b", "new", 9), pod("c", "old", 1)}, want: "b"},
		"nor one that has ended":              {pods: []corev1.Pod{pod("a", "new", 8, succeeded), pod("b", "old", 9)}, want: "b"},
		"nobody where none can":               {pods: []corev1.Pod{pod("a", "new", 8, terminating), pod("b", "new", 9, unready)}},
		"the revision of a StatefulSet":       {pods: []corev1.Pod{pod("web-0", "1", 0, ofStatefulSet), pod("web-2", "2", 9, ofStatefulSet)}, want: "web-2"},
		"Pods without a revision are of one":  {pods: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Status: pod("", "", 0).Status}}, want: "a"},
		"of two revisions of one second, one": {pods: []corev1.Pod{pod("a", "1", 5), pod("b", "2", 5)}, want: "b"},
		"the same in another order":           {pods: []corev1.Pod{pod("b", "2", 5), pod("a", "1", 5)}, want: "b"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, choose(test.pods, "leader")) })
	}
}
