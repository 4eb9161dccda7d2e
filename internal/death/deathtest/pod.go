// Package deathtest has what tests of proven deaths look at: a Pod as the kubelet
// reports it, and the testimony of a process in it.
package deathtest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/internal/death"
)

const (
	// Word is that of the process in Pod, and OtherWord that of another instance.
	Word      = death.Word(death.WordBegins + "000102030405060708090a0b0c0d0e0f")
	OtherWord = death.Word(death.WordBegins + "ffeeddccbbaa99887766554433221100")
	// UID is that of Pod.
	UID = "9a1f2b3c-0000-4000-8000-123456789abc"
)

// Testimony is that of the process in Pod.
func Testimony() death.PodTestimony {
	return death.PodTestimony{Namespace: "kube-system", Pod: "controller-0", UID: UID, Container: "manager", Hash: Word.Hash()}
}

// Ended is a termination as the kubelet reports the death of the instance that has
// written the message.
func Ended(exitCode int32, message string) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ExitCode: exitCode, Reason: "Error", ContainerID: "containerd://4711", Message: message}
}

// Pod has the container of the testimony in two states, and a sidecar that runs.
func Pod(state, last *corev1.ContainerStateTerminated) *corev1.Pod {
	s := corev1.ContainerStatus{Name: "manager", ContainerID: "containerd://4711"}
	s.State.Terminated, s.LastTerminationState.Terminated = state, last
	if state == nil {
		s.State.Running = &corev1.ContainerStateRunning{}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "controller-0", UID: UID},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, s,
			},
		},
	}
}
