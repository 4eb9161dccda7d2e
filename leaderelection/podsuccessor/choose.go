package podsuccessor

import (
	"cmp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// choose returns the name of the Pod that is to lead after that of own: the oldest of the
// newest revision, of those that can. It is empty where none can.
func choose(pods []corev1.Pod, own string) string {
	var able []corev1.Pod
	newest := map[string]time.Time{} // when the last Pod of each revision was created
	for _, pod := range pods {
		if pod.Name == own || !canLead(pod) {
			continue
		}
		able = append(able, pod)
		if created := pod.CreationTimestamp.Time; newest[revision(pod)].Before(created) {
			newest[revision(pod)] = created
		}
	}
	if len(able) == 0 {
		return ""
	}
	return slices.MinFunc(able, func(a, b corev1.Pod) int {
		return cmp.Or(
			newest[revision(b)].Compare(newest[revision(a)]),
			strings.Compare(revision(b), revision(a)), // created in one second
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			strings.Compare(a.Name, b.Name),
		)
	}).Name
}

// canLead reports whether a Pod is ready and here to stay, as far as it tells.
func canLead(pod corev1.Pod) bool {
	ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	return ready && pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning
}

// revision returns which version of its workload a Pod is of.
func revision(pod corev1.Pod) string {
	return cmp.Or(pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey], pod.Labels[appsv1.ControllerRevisionHashLabelKey])
}
