package death_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/internal/death"
	"github.com/holdfast-go/holdfast/internal/death/deathtest"
)

func TestWhatProvesADeath(t *testing.T) {
	line := string(deathtest.Word) + "\n"
	for name, pod := range map[string]*corev1.Pod{
		"killed":                               deathtest.Pod(deathtest.Ended(137, line), nil),
		"exit 0":                               deathtest.Pod(deathtest.Ended(0, line), nil),
		"panicked":                             deathtest.Pod(deathtest.Ended(2, line), nil),
		"the last state, the sandbox killed":   deathtest.Pod(nil, deathtest.Ended(137, line)),
		"the last state, a successor has died": deathtest.Pod(deathtest.Ended(1, string(deathtest.OtherWord)+"\n"), deathtest.Ended(137, line)),
		"between lines of others":              deathtest.Pod(deathtest.Ended(1, "started\n"+line+"fatal: out of cheese\n"), nil),
		"without the end of the line":          deathtest.Pod(deathtest.Ended(1, "started\n"+string(deathtest.Word)), nil),
		"beside the words of processes before": deathtest.Pod(deathtest.Ended(1, string(deathtest.OtherWord)+"\n\n"+line), nil),
		"the successor's state is lost":        deathtest.Pod(deathtest.Ended(255, string(deathtest.OtherWord)), deathtest.Ended(137, line)),
		"an init container": func() *corev1.Pod {
			pod := deathtest.Pod(deathtest.Ended(137, line), nil)
			pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses = pod.Status.ContainerStatuses, nil
			return pod
		}(),
		"deleted by force, and ended": func() *corev1.Pod {
			pod := deathtest.Pod(deathtest.Ended(137, line), nil)
			pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &metav1.Time{}, new(int64)
			return pod
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			evidence, err := death.ByPod(deathtest.Testimony(), pod)
			require.NoError(t, err)
			assert.Contains(t, evidence, "container manager of Pod kube-system/controller-0")
		})
	}
}

// Each was seen while the process was alive, or might be.
func TestWhatProvesNothing(t *testing.T) {
	line := string(deathtest.Word) + "\n"
	running := func(change func(*corev1.Pod)) *corev1.Pod { return changed(deathtest.Pod(nil, nil), change) }
	condition := func(kind corev1.PodConditionType, status corev1.ConditionStatus) *corev1.Pod {
		return running(func(pod *corev1.Pod) {
			pod.Status.Conditions = []corev1.PodCondition{{Type: kind, Status: status}}
		})
	}
	grace := int64(0)
	for name, pod := range map[string]*corev1.Pod{
		"no Pod":         nil,
		"it runs":        deathtest.Pod(nil, nil),
		"no status yet":  running(func(pod *corev1.Pod) { pod.Status = corev1.PodStatus{} }),
		"deleted softly": running(func(pod *corev1.Pod) { pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }),
		"deleted by force": running(func(pod *corev1.Pod) {
			pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Unix(1, 0)}, &grace
		}),
		"phase Failed, its Node deleted": running(func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed }),
		"phase Succeeded":                running(func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded }),
		"phase Unknown, NodeLost":        running(func(pod *corev1.Pod) { pod.Status.Phase, pod.Status.Reason = corev1.PodUnknown, "NodeLost" }),
		"evicted":                        running(func(pod *corev1.Pod) { pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "Evicted" }),
		"Ready False":                    condition(corev1.PodReady, corev1.ConditionFalse),
		"ContainersReady Unknown":        condition(corev1.ContainersReady, corev1.ConditionUnknown),
		"DisruptionTarget":               condition(corev1.DisruptionTarget, corev1.ConditionTrue),

		"exit code 255, the runtime's state lost":   deathtest.Pod(deathtest.Ended(255, line), nil),
		"exit code 255 in the last state":           deathtest.Pod(nil, deathtest.Ended(255, line)),
		"255 in both":                               deathtest.Pod(deathtest.Ended(255, line), deathtest.Ended(255, line)),
		"ContainerStatusUnknown, 137, no container": deathtest.Pod(&corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown", Message: line}, nil),
		"no container, else as usual":               deathtest.Pod(changed(deathtest.Ended(137, line), func(s *corev1.ContainerStateTerminated) { s.ContainerID = "" }), nil),
		"ContainerStatusUnknown with a container":   deathtest.Pod(changed(deathtest.Ended(137, line), func(s *corev1.ContainerStateTerminated) { s.Reason = "ContainerStatusUnknown" }), nil),

		"one restart more": running(func(pod *corev1.Pod) { pod.Status.ContainerStatuses[1].RestartCount++ }),
		"another container ID, a shim killed": running(func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses[1].ContainerID = "containerd://4712"
			pod.Status.ContainerStatuses[1].RestartCount = 7
		}),
		"it waits": running(func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses[1].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
		}),
		"an instance before it, in the state that lags": deathtest.Pod(deathtest.Ended(137, string(deathtest.OtherWord)+"\n"), nil),
		"an instance before it, in the last state":      deathtest.Pod(nil, deathtest.Ended(137, string(deathtest.OtherWord)+"\n")),
		"an end without a message":                      deathtest.Pod(deathtest.Ended(137, ""), nil),

		"the word is a part of a line":    deathtest.Pod(deathtest.Ended(137, "level=info "+line), nil),
		"more follows in the line":        deathtest.Pod(deathtest.Ended(137, string(deathtest.Word)+" was the leader\n"), nil),
		"the word ends in \\r":            deathtest.Pod(deathtest.Ended(137, string(deathtest.Word)+"\r\n"), nil),
		"the beginning was cut off":       deathtest.Pod(deathtest.Ended(137, line[3:]), nil),
		"the end was cut off":             deathtest.Pod(deathtest.Ended(137, line[:len(line)-3]), nil),
		"the word begins with a space":    deathtest.Pod(deathtest.Ended(137, " "+line), nil),
		"the hash, as it is in the Lease": deathtest.Pod(deathtest.Ended(137, deathtest.Word.Hash()+"\n"), nil),
		"the testimony, as it is in the Lease": deathtest.Pod(deathtest.Ended(137, deathtest.Testimony().String()+"\n"+
			death.WordBegins+deathtest.Word.Hash()+"\n"), nil),

		"another Pod of the name": changed(deathtest.Pod(deathtest.Ended(137, line), nil), func(pod *corev1.Pod) { pod.UID = "another" }),
		"a Pod without a UID":     changed(deathtest.Pod(deathtest.Ended(137, line), nil), func(pod *corev1.Pod) { pod.UID = "" }),
		"a Pod of another name":   changed(deathtest.Pod(deathtest.Ended(137, line), nil), func(pod *corev1.Pod) { pod.Name = "controller-1" }),
		"another namespace":       changed(deathtest.Pod(deathtest.Ended(137, line), nil), func(pod *corev1.Pod) { pod.Namespace = "default" }),
		"another container quotes it": changed(deathtest.Pod(nil, nil), func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: deathtest.Ended(1, line)}
		}),
		"an init container quotes it": changed(deathtest.Pod(nil, nil), func(pod *corev1.Pod) {
			pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "init", State: corev1.ContainerState{Terminated: deathtest.Ended(1, line)}}}
		}),
		"an ephemeral container quotes it": changed(deathtest.Pod(nil, nil), func(pod *corev1.Pod) {
			pod.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{Name: "manager", State: corev1.ContainerState{Terminated: deathtest.Ended(1, line)}}}
		}),
		"the message of the Pod quotes it": running(func(pod *corev1.Pod) { pod.Status.Message = line }),
		"a container waits with it": running(func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses[1].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Message: line}}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			evidence, err := death.ByPod(deathtest.Testimony(), pod)
			assert.Error(t, err)
			assert.Empty(t, evidence)
		})
	}
}

func changed[T any](of *T, change func(*T)) *T {
	change(of)
	return of
}
