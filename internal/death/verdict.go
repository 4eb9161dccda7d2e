package death

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// lostByTheRuntime is the exit code that containerd makes up for a container whose
// state it has lost. The process may well be alive.
const lostByTheRuntime = 255

// reasonUnknown is what the kubelet says of a container that it has lost sight of.
const reasonUnknown = "ContainerStatusUnknown"

// ByPod returns what in a Pod proves that the one who left the testimony is dead,
// or an error that says why nothing does. It is the whole rule: the Pod of that very
// UID has, in the status of that very container, a termination that the runtime has
// seen, with the word of that very instance. All else that a Pod may show (a phase, a
// condition, a deletion, a count of restarts, another instance that runs) was seen
// while the process was alive.
//
// It holds for the last state of a deleted Pod as well, and for any earlier one: the
// dead stay dead.
func ByPod(t PodTestimony, pod *corev1.Pod) (evidence string, err error) {
	if pod == nil {
		return "", errors.New("there is no Pod")
	}
	if pod.UID != t.UID || pod.Name != t.Pod || pod.Namespace != t.Namespace {
		return "", fmt.Errorf("the Pod %s/%s with the UID %s is another one", pod.Namespace, pod.Name, pod.UID)
	}
	err = fmt.Errorf("the Pod %s/%s shows no container %s", t.Namespace, t.Pod, t.Container)
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses} {
		for i := range statuses {
			if statuses[i].Name != t.Container {
				continue
			}
			// A killed sandbox shows in the last state only, and so does
			// an instance whose successor runs.
			for _, state := range []*corev1.ContainerStateTerminated{statuses[i].State.Terminated, statuses[i].LastTerminationState.Terminated} {
				refused := isEnd(t, state)
				if refused == nil {
					return fmt.Sprintf("container %s of Pod %s/%s has terminated (%s, exit code %d, %s)",
						t.Container, t.Namespace, t.Pod, state.Reason, state.ExitCode, state.ContainerID), nil
				}
				err = refused
			}
		}
	}
	return "", err
}

// isEnd returns nil if a termination is that of the instance which left the testimony.
func isEnd(t PodTestimony, state *corev1.ContainerStateTerminated) error {
	switch {
	case state == nil:
		return errors.New("it has not terminated")
	case state.ContainerID == "":
		return fmt.Errorf("its termination (%s, exit code %d) names no container", state.Reason, state.ExitCode)
	case state.Reason == reasonUnknown:
		return fmt.Errorf("the kubelet does not know how it is (%s, exit code %d)", state.Reason, state.ExitCode)
	case state.ExitCode == lostByTheRuntime:
		return fmt.Errorf("exit code %d is a guess of the runtime's", state.ExitCode)
	case !Says(state.Message, t.Hash):
		return errors.New("its termination message has not the word of this instance")
	}
	return nil
}
