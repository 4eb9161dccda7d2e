package witness

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	aWord     = word(wordBegins + "000102030405060708090a0b0c0d0e0f")
	otherWord = word(wordBegins + "ffeeddccbbaa99887766554433221100")
	aUID      = "9a1f2b3c-0000-4000-8000-123456789abc"
)

func aTestimony() podTestimony {
	return podTestimony{"kube-system", "controller-0", aUID, "manager", aWord.hash()}
}

// ended is a termination as the kubelet reports the death of the instance with the
// word.
func ended(exitCode int32, message string) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ExitCode: exitCode, Reason: "Error", ContainerID: "containerd://4711", Message: message}
}

// aPod has a container of the testimony in two states, and a sidecar that runs.
func aPod(state, last *corev1.ContainerStateTerminated) *corev1.Pod {
	s := corev1.ContainerStatus{Name: "manager", ContainerID: "containerd://4711"}
	s.State.Terminated, s.LastTerminationState.Terminated = state, last
	if state == nil {
		s.State.Running = &corev1.ContainerStateRunning{}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "controller-0", UID: aUID},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning,
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, s,
			},
		},
	}
}

func TestWhatProvesADeath(t *testing.T) {
	line := string(aWord) + "\n"
	for name, pod := range map[string]*corev1.Pod{
		"killed":                               aPod(ended(137, line), nil),
		"exit 0":                               aPod(ended(0, line), nil),
		"panicked":                             aPod(ended(2, line), nil),
		"the last state, the sandbox killed":   aPod(nil, ended(137, line)),
		"the last state, a successor has died": aPod(ended(1, string(otherWord)+"\n"), ended(137, line)),
		"between lines of others":              aPod(ended(1, "started\n"+line+"fatal: out of cheese\n"), nil),
		"without the end of the line":          aPod(ended(1, "started\n"+string(aWord)), nil),
		"beside the words of processes before": aPod(ended(1, string(otherWord)+"\n\n"+line), nil),
		"the successor's state is lost":        aPod(ended(255, string(otherWord)), ended(137, line)),
		"an init container": func() *corev1.Pod {
			pod := aPod(ended(137, line), nil)
			pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses = pod.Status.ContainerStatuses, nil
			return pod
		}(),
		"deleted by force, and ended": func() *corev1.Pod {
			pod := aPod(ended(137, line), nil)
			pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &metav1.Time{}, new(int64)
			return pod
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			evidence, err := deadBy(aTestimony(), pod)
			require.NoError(t, err)
			assert.Contains(t, evidence, "container manager of Pod kube-system/controller-0")
		})
	}
}

// Each was seen while the process was alive, or might be.
func TestWhatProvesNothing(t *testing.T) {
	line := string(aWord) + "\n"
	running := func(change func(*corev1.Pod)) *corev1.Pod { return changed(aPod(nil, nil), change) }
	condition := func(kind corev1.PodConditionType, status corev1.ConditionStatus) *corev1.Pod {
		return running(func(pod *corev1.Pod) {
			pod.Status.Conditions = []corev1.PodCondition{{Type: kind, Status: status}}
		})
	}
	grace := int64(0)
	for name, pod := range map[string]*corev1.Pod{
		"no Pod":         nil,
		"it runs":        aPod(nil, nil),
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

		"exit code 255, the runtime's state lost":   aPod(ended(255, line), nil),
		"exit code 255 in the last state":           aPod(nil, ended(255, line)),
		"255 in both":                               aPod(ended(255, line), ended(255, line)),
		"ContainerStatusUnknown, 137, no container": aPod(&corev1.ContainerStateTerminated{ExitCode: 137, Reason: reasonUnknown, Message: line}, nil),
		"no container, else as usual":               aPod(changed(ended(137, line), func(s *corev1.ContainerStateTerminated) { s.ContainerID = "" }), nil),
		"ContainerStatusUnknown with a container":   aPod(changed(ended(137, line), func(s *corev1.ContainerStateTerminated) { s.Reason = reasonUnknown }), nil),

		"one restart more": running(func(pod *corev1.Pod) { pod.Status.ContainerStatuses[1].RestartCount++ }),
		"another container ID, a shim killed": running(func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses[1].ContainerID = "containerd://4712"
			pod.Status.ContainerStatuses[1].RestartCount = 7
		}),
		"it waits": running(func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses[1].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
		}),
		"an instance before it, in the state that lags": aPod(ended(137, string(otherWord)+"\n"), nil),
		"an instance before it, in the last state":      aPod(nil, ended(137, string(otherWord)+"\n")),
		"an end without a message":                      aPod(ended(137, ""), nil),

		"the word is a part of a line":    aPod(ended(137, "level=info "+line), nil),
		"more follows in the line":        aPod(ended(137, string(aWord)+" was the leader\n"), nil),
		"the word ends in \\r":            aPod(ended(137, string(aWord)+"\r\n"), nil),
		"the beginning was cut off":       aPod(ended(137, line[3:]), nil),
		"the end was cut off":             aPod(ended(137, line[:len(line)-3]), nil),
		"the word begins with a space":    aPod(ended(137, " "+line), nil),
		"the hash, as it is in the Lease": aPod(ended(137, aWord.hash()+"\n"), nil),
		"the testimony, as it is in the Lease": aPod(ended(137, aTestimony().String()+"\n"+
			wordBegins+aWord.hash()+"\n"), nil),

		"another Pod of the name": changed(aPod(ended(137, line), nil), func(pod *corev1.Pod) { pod.UID = "another" }),
		"a Pod without a UID":     changed(aPod(ended(137, line), nil), func(pod *corev1.Pod) { pod.UID = "" }),
		"a Pod of another name":   changed(aPod(ended(137, line), nil), func(pod *corev1.Pod) { pod.Name = "controller-1" }),
		"another namespace":       changed(aPod(ended(137, line), nil), func(pod *corev1.Pod) { pod.Namespace = "default" }),
		"another container quotes it": changed(aPod(nil, nil), func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: ended(1, line)}
		}),
		"an init container quotes it": changed(aPod(nil, nil), func(pod *corev1.Pod) {
			pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "init", State: corev1.ContainerState{Terminated: ended(1, line)}}}
		}),
		"an ephemeral container quotes it": changed(aPod(nil, nil), func(pod *corev1.Pod) {
			pod.Status.EphemeralContainerStatuses = []corev1.ContainerStatus{{Name: "manager", State: corev1.ContainerState{Terminated: ended(1, line)}}}
		}),
		"the message of the Pod quotes it": running(func(pod *corev1.Pod) { pod.Status.Message = line }),
		"a container waits with it": running(func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses[1].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Message: line}}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			evidence, err := deadBy(aTestimony(), pod)
			assert.Error(t, err)
			assert.Empty(t, evidence)
		})
	}
}

func changed[T any](of *T, change func(*T)) *T {
	change(of)
	return of
}

func TestATestimonyOfAPodIsReadAsItWasWritten(t *testing.T) {
	read, err := parsePodTestimony(aTestimony().String())
	require.NoError(t, err)
	assert.Equal(t, aTestimony(), read)
	for _, text := range []string{
		"", " ", "\x00", "a b c d e f", "a b c d", strings.Repeat("a ", 1<<20), strings.Repeat("x", MaxTestimony+1),
		"../secrets controller-0 " + aUID + " manager " + aWord.hash(),
		"kube-system controller-0/log " + aUID + " manager " + aWord.hash(),
		"kube-system .. " + aUID + " manager " + aWord.hash(),
		"kube-system controller-0  manager " + aWord.hash(),
		"kube-system controller-0 a/b manager " + aWord.hash(),
		"kube-system controller-0 " + aUID + " MANAGER " + aWord.hash(),
		"kube-system controller-0 " + aUID + " manager " + aWord.hash()[1:],
		"kube-system controller-0 " + aUID + " manager " + strings.ToUpper(aWord.hash()),
		"kube-system controller-0 " + aUID + " manager " + aWord.hash() + "\n",
	} {
		_, err := parsePodTestimony(text)
		assert.ErrorIs(t, err, ErrNoProof, "%.40q", text)
		assert.Less(t, len(err.Error()), 500)
	}
}

func FuzzPodTestimony(f *testing.F) {
	f.Add(aTestimony().String())
	f.Add("a b c d e")
	f.Fuzz(func(t *testing.T, text string) {
		if read, err := parsePodTestimony(text); err == nil {
			assert.Equal(t, text, read.String())
			_, err := deadBy(read, aPod(ended(137, string(otherWord)+"\n"), nil))
			assert.Error(t, err)
		}
	})
}
