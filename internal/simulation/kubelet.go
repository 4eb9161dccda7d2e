package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/internal/death"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// node is a host's Pod as its kubelet reports it: late, with steps left out, and wrong in
// every way in which kubelets were seen to be wrong about a process that lives.
type node struct {
	host *Host
	// uid is that of the Pod, which another of its name may have replaced.
	uid int
	// state and last are what is true of the container, as the kubelet knows it.
	state, last instance
	restarts    int32
	// frozen until then, the kubelet reports nothing; due counts its reports.
	frozen time.Duration
	due    int
	// seen are the states that the API has shown; nil is that the Pod is gone. changed
	// is closed, and replaced, with each.
	seen    []*corev1.Pod
	changed chan struct{}
}

// instance is one run of a container.
type instance struct {
	id   string // of the container; empty if there is none
	log  string // its termination log
	over bool
	code int32
	why  string
}

const container = "manager"

func newNode(h *Host) *node { return &node{host: h, changed: make(chan struct{})} }

// starts is that a process has been started in the container; the mutex is held.
func (n *node) starts(p *Process) {
	if n.state.id != "" {
		n.last, n.restarts = n.state, n.restarts+1
	}
	n.state = instance{id: "containerd://" + p.name}
	n.reports()
}

// ends is that the process in the container has died; the mutex is held.
func (n *node) ends(p *Process) {
	if n.state.id == "containerd://"+p.name && !n.state.over {
		n.state.over, n.state.code, n.state.why = true, []int32{137, 0, 1, 2}[n.host.random("codes").IntN(4)], "Error"
		n.reports()
	}
}

// reports has the kubelet report how things are, after a while.
func (n *node) reports() {
	w, random := n.host.world, n.host.random("kubelet")
	lag := between(random, 50*time.Millisecond, 1200*time.Millisecond)
	if random.IntN(6) == 0 {
		lag = between(random, 0, 2*w.timing.Lease)
	}
	n.due++
	due := n.due
	time.AfterFunc(max(lag, n.frozen-w.now()), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if n.due == due && !w.over { // else a later report has all that this one had
			n.shows(n.pod())
		}
	})
}

// shows makes a state one that the API shows.
func (n *node) shows(pod *corev1.Pod) {
	n.seen = append(n.seen, pod)
	close(n.changed)
	n.changed = make(chan struct{})
}

// pod is the Pod as it is, for a kubelet that sees all.
func (n *node) pod() *corev1.Pod {
	pod := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	pod.Namespace, pod.Name, pod.UID = "default", n.host.name, n.podUID()
	if n.state.id == "" {
		return pod
	}
	s := corev1.ContainerStatus{Name: container, RestartCount: n.restarts, ContainerID: n.state.id}
	if s.State.Terminated = n.state.terminated(); s.State.Terminated == nil {
		s.State.Running = &corev1.ContainerStateRunning{}
	}
	s.LastTerminationState.Terminated = n.last.terminated()
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{s}
	return pod
}

func (n *node) podUID() types.UID { return types.UID(fmt.Sprintf("uid-%s-%d", n.host.name, n.uid)) }

func (i instance) terminated() *corev1.ContainerStateTerminated {
	if !i.over {
		return nil
	}
	return &corev1.ContainerStateTerminated{ContainerID: i.id, ExitCode: i.code, Reason: i.why, Message: i.log}
}

// lies has the API show what proves nothing: each was seen on a real node while the
// process was alive.
func (w *World) lies(random *rand.Rand) {
	n := w.target(random).node
	if n.state.id == "" {
		return
	}
	pod := n.pod()
	status := &pod.Status.ContainerStatuses[0]
	what := ""
	switch random.IntN(9) {
	case 0:
		what = "containerd has lost its state: exit code 255, and the word of the living"
		status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: n.state.id, ExitCode: 255, Reason: "Unknown", Message: n.state.log}}
	case 1:
		what = "the kubelet has lost sight of the container"
		status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}}
	case 2:
		what = "a shim is killed: another container, started once more"
		status.RestartCount, status.ContainerID = status.RestartCount+1, "containerd://other"
		status.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ContainerID: n.state.id, ExitCode: 255, Reason: "Unknown", Message: n.state.log}
	case 3:
		what = "the Pod is deleted by force, and another of its name is made"
		n.shows(nil)
		n.uid++
		n.state, n.last, n.restarts = instance{}, instance{}, 0 // nobody will report its end
		pod = n.pod()
	case 4:
		what = "its Node is deleted: phase Failed"
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "NodeLost"
	case 5:
		what = "conditions say that it is not ready and is to go"
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}
	case 6:
		what = "a sidecar ends, and its log quotes the word"
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: "sidecar", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ContainerID: "containerd://sidecar", ExitCode: 1, Message: n.state.log}}})
	case 7:
		what = "the end of another instance, before its own start is reported"
		status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: "containerd://before", ExitCode: 137, Reason: "Error", Message: death.WordBegins + "00000000000000000000000000000000\n"}}
	default:
		n.frozen = w.now() + between(random, 0, 3*w.timing.Lease)
		w.note("node "+n.host.name, "its kubelet is FROZEN until %v", n.frozen)
		return
	}
	w.note("node "+n.host.name, "%s", what)
	n.shows(pod)
}

// kubelet is the witness of Pods: it goes by the rule of witness.Pod, and sees what the
// API shows, in order while its watch lasts.
type kubelet struct{ p *Process }

// Name implements witness.Witness.
func (kubelet) Name() string { return "kubelet" }

// Leave implements witness.Witness. A process that is not the container's own leaves
// nothing.
func (k kubelet) Leave(context.Context) (string, error) {
	w := k.p.world
	w.mu.Lock()
	defer w.mu.Unlock()
	n := k.p.host.node
	if n.state.id != "containerd://"+k.p.name || n.state.over {
		return "", fmt.Errorf("this process is in no container of Pod %s", n.host.name)
	}
	word := death.Word(fmt.Sprintf("%s%016x%016x", death.WordBegins, hash("word of "+k.p.name), hash(k.p.name)))
	if n.state.log == "" {
		n.state.log = string(word) + "\n"
	}
	return death.PodTestimony{Namespace: "default", Pod: n.host.name, UID: n.podUID(), Container: container, Hash: word.Hash()}.String(), nil
}

// Await implements witness.Witness.
func (k kubelet) Await(ctx context.Context, testimony string) (witness.Proof, error) {
	t, err := death.ParsePodTestimony(testimony)
	if err != nil {
		return witness.Proof{}, fmt.Errorf("%w: %w", witness.ErrNoProof, err)
	}
	w, h := k.p.world, k.p.host
	n := w.nodeOf(t.Pod)
	if n == nil || n == h.node {
		return witness.Proof{}, witness.ErrNoProof
	}
	for next := -1; ; {
		w.mu.Lock()
		changed, way, clear := n.changed, h.way("Pod"), h.network == h.normal()
		if next < 0 { // a watch that is opened shows how things are
			next = max(0, len(n.seen)-1)
		}
		var pod *corev1.Pod
		looks := clear && next < len(n.seen)
		if looks {
			pod, next = n.seen[next], next+1
		}
		w.mu.Unlock()
		switch {
		case !clear: // its watch has broken
			next = -1
			if err := k.p.wait(ctx, k.p.Timing.Retry); err != nil {
				return witness.Proof{}, err
			}
			continue
		case !looks:
			select {
			case <-changed:
			case <-ctx.Done():
				return witness.Proof{}, context.Cause(ctx)
			}
			continue
		}
		evidence, err := k.p.Verdict(t, pod)
		if err != nil {
			continue
		}
		if err := k.p.wait(ctx, way); err != nil {
			return witness.Proof{}, err
		}
		if !k.p.hold("hears of an end") {
			return witness.Proof{}, errDead
		}
		return witness.Proof{Testimony: testimony, Evidence: evidence}, nil
	}
}

func (w *World) nodeOf(pod string) *node {
	for _, h := range w.hosts {
		if h.name == pod {
			return h.node
		}
	}
	return nil
}
