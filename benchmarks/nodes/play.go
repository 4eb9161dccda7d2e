package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab/node"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// waiting is the timing of tests that wait for the end of a lease. The figures are those of
// scenario.Long.
var waiting = scenario.Timing{LeaseDuration: 6 * time.Second, RenewDeadline: 4 * time.Second, RetryPeriod: time.Second}

// A Play is a lease and the Pods that contend for it.
type Play struct {
	stage  *Stage
	name   string
	peer   string
	timing scenario.Timing

	// what has been done to the leader, and when: on and how in words.
	fault event.Event
}

var plays atomic.Int32

// NewPlay returns a play whose members are of that peer (see ./member).
func (s *Stage) NewPlay(peer string, timing scenario.Timing) *Play {
	return &Play{stage: s, name: fmt.Sprintf("play%d", plays.Add(1)), peer: peer, timing: timing}
}

// A Member says how a Pod of a play differs from the usual one.
type Member struct {
	// Name is the Pod's, after that of the play.
	Name string
	Node *node.Node
	// Peer is that of this Pod alone; empty means that of the play.
	Peer string
	// Containers are how many processes contend in the Pod; zero means one.
	Containers int
	// Deaf members ignore SIGTERM, and are killed after the grace, in seconds.
	Deaf  bool
	Grace int64
	// Limit of memory, such as "64Mi"; empty means none.
	Limit string
	// Change is made to the Pod at last.
	Change func(*corev1.Pod)
}

// eatFile, in HostFolder, names the process that is to use memory without end.
func (p *Play) eatFile() string { return "eat-" + p.name }

// Start makes a Pod and returns when all its containers run.
func (p *Play) Start(ctx context.Context, m Member) (*corev1.Pod, error) {
	pod := p.pod(m)
	if m.Change != nil {
		m.Change(pod)
	}
	pods := p.stage.api.CoreV1().Pods(namespace)
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	return p.stage.untilRuns(ctx, namespace, pod.Name)
}

func (s *Stage) untilRuns(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	var pod *corev1.Pod
	err := until(ctx, "Pod "+name+" to run", func() (bool, error) {
		now, err := s.api.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		pod = now
		for _, c := range pod.Status.ContainerStatuses {
			if c.State.Running == nil {
				return false, nil
			}
		}
		return len(pod.Status.ContainerStatuses) == len(pod.Spec.Containers), nil
	})
	if err != nil && pod != nil {
		for _, c := range pod.Status.ContainerStatuses {
			err = fmt.Errorf("%w; container %s: now %v, before %v", err, c.Name, &c.State, &c.LastTerminationState)
		}
	}
	return pod, err
}

func (p *Play) pod(m Member) *corev1.Pod {
	peer := cmp.Or(m.Peer, p.peer)
	account := contends
	switch peer {
	case "pod":
		account = watches
	case "successor":
		account = lists
	case "label":
		account = bears
	}
	args := []string{
		"-peer=" + peer, "-folder=" + node.HostFolder, "-namespace=" + namespace, "-lease=" + p.name, "-eat=" + node.HostFolder + "/" + p.eatFile(), "-selector=play=" + p.name,
		"-lease-duration=" + p.timing.LeaseDuration.String(), "-renew-deadline=" + p.timing.RenewDeadline.String(), "-retry-period=" + p.timing.RetryPeriod.String(),
	}
	if m.Deaf {
		args = append(args, "-deaf")
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.name + "-" + m.Name, Labels: map[string]string{"play": p.name}},
		Spec: corev1.PodSpec{
			NodeName: m.Node.Name(), ServiceAccountName: account,
			TerminationGracePeriodSeconds: ptr.To(m.Grace),
			Volumes: []corev1.Volume{{Name: "work", VolumeSource: corev1.VolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: node.HostFolder}}}},
		},
	}
	for i := range max(1, m.Containers) {
		c := corev1.Container{
			Name: string(rune('a' + i)), Image: memberImage, ImagePullPolicy: corev1.PullNever, Args: args,
			Env:          []corev1.EnvVar{{Name: "POD_NAME", Value: pod.Name}, {Name: "CONTAINER", Value: string(rune('a' + i))}},
			VolumeMounts: []corev1.VolumeMount{{Name: "work", MountPath: node.HostFolder}},
		}
		if m.Limit != "" {
			c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(m.Limit)}
		}
		pod.Spec.Containers = append(pod.Spec.Containers, c)
	}
	node.PodAccess(&pod.Spec)
	return pod
}

// Process returns the process that runs in a container of the Pod now.
func (s *Stage) Process(pod *corev1.Pod, container string) (*node.Process, error) {
	for _, n := range s.Nodes {
		if n.Name() != pod.Spec.NodeName {
			continue
		}
		for _, c := range pod.Status.ContainerStatuses {
			if c.Name == container {
				return n.Process(pod.UID, c.ContainerID)
			}
		}
	}
	return nil, fmt.Errorf("Pod %s has no container %s on a node of the stage", pod.Name, container)
}

// Leads waits until a process that is none of those named leads, and returns its diary.
func (p *Play) Leads(ctx context.Context, not ...string) (leader Diary, err error) {
	err = until(ctx, p.name+": somebody to lead", func() (bool, error) {
		all, err := p.stage.diaries(p.name)
		if err != nil {
			return false, err
		}
		for _, d := range all {
			if len(d.Terms) > 0 && !slices.Contains(not, d.Who) {
				leader = d
				return true, nil
			}
		}
		return false, nil
	})
	return leader, err
}

// Renewed waits until the holder has renewed n times from now.
func (p *Play) Renewed(ctx context.Context, holder string, n int) error {
	count := func() (renewals int) {
		for _, r := range p.stage.leases.of(p.name) {
			if r.Holder == holder {
				renewals++
			}
		}
		return renewals
	}
	before := count()
	return until(ctx, fmt.Sprintf("%s to renew %d times", holder, n), func() (bool, error) { return count() >= before+n, nil })
}

// Verdict is nil if no two processes of the play have worked at once.
func (p *Play) Verdict() error {
	all, err := p.stage.diaries(p.name)
	if err != nil {
		return err
	}
	return Overlap(all)
}

// NotEarly is nil if nobody has led before the lease of the leader before him had
// ended, and no two have worked at once.
func (p *Play) NotEarly() error {
	all, err := p.stage.diaries(p.name)
	if err != nil {
		return err
	}
	return errors.Join(Overlap(all), Early(all, p.stage.leases.of(p.name)))
}

// End deletes what is left of the play, without grace, and waits until it is gone.
func (p *Play) End(ctx context.Context) error {
	pods := p.stage.api.CoreV1().Pods(namespace)
	of := metav1.ListOptions{LabelSelector: "play=" + p.name}
	if err := pods.DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](1)}, of); err != nil {
		return err
	}
	return until(ctx, "the Pods of "+p.name+" to go", func() (bool, error) {
		list, err := pods.List(ctx, of)
		return err == nil && len(list.Items) == 0, err
	})
}

// poll is the pause between two looks. No figure depends on it.
const poll = 20 * time.Millisecond

// until looks until what is to come has come, and fails when ctx ends.
func until(ctx context.Context, what string, come func() (bool, error)) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		yes, err := come()
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
