package witness

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/holdfast-go/holdfast/internal/death"
)

// Pod is the kubelet's word, across nodes: the kubelet of the holder's node says in
// the status of its Pod that the container of the holder has terminated.
//
// A container does not know its own ID for certain, and what a Pod's status shows
// may be of the instance before or after. So the process writes a line with a random
// word into its termination log, which belongs to this instance alone and which the
// kubelet shows with its end. The Lease has a hash of the word, so that nobody can
// quote the line who has only read the Lease.
//
// Use it by pointer. The fields must not be changed after the first call. In an
// ordinary Pod all but Client may be empty: namespace, name and UID are those that
// the token of the ServiceAccount is bound to, and container and log are those of the
// mount that the kubelet has made.
type Pod struct {
	// Client is for watching Pods, by name, which takes the right to watch Pods in
	// the namespace of the holder. Without that right Await says so once in the log
	// and has no proof. Nil means that this process leaves a testimony and proves
	// nothing.
	Client corev1client.PodsGetter

	// Namespace, PodName and UID are of the Pod that this process runs in, as the
	// downward API tells them. What is empty is taken from the token that is
	// mounted at /var/run/secrets/kubernetes.io/serviceaccount.
	Namespace, PodName string
	UID                types.UID

	// Container is the name of this process's container. Empty means the one that
	// the mount of the termination log names.
	Container string

	// TerminationLog is the path of the file, as terminationMessagePath has it. Empty
	// means where the kubelet has mounted it, or /dev/termination-log.
	TerminationLog string

	host host      // where this process runs; set in tests alone
	once sync.Once // says that the right is missing
}

var _ Witness = (*Pod)(nil)

// Name implements Witness.
func (*Pod) Name() string { return "pod" }

// Leave implements Witness. The first call that succeeds in this process appends a
// line to the termination log. It refuses where the end of the container is not
// the end of this process.
func (p *Pod) Leave(context.Context) (string, error) {
	t, err := p.host.identify(instance{p.Namespace, p.PodName, p.UID, p.Container, p.TerminationLog})
	if err != nil {
		return "", fmt.Errorf("cannot tell which container this process runs in: %w", err)
	}
	if err := p.host.endsWithItsContainer(); err != nil {
		return "", fmt.Errorf("the end of container %q may not be the end of this process: %w", t.container, err)
	}
	word, err := writeWord(p.host.path(t.log))
	if err != nil {
		return "", fmt.Errorf("cannot write to the termination log of container %q: %w", t.container, err)
	}
	testimony := death.PodTestimony{Namespace: t.namespace, Pod: t.pod, UID: t.uid, Container: t.container, Hash: word.Hash()}
	if _, err := death.ParsePodTestimony(testimony.String()); err != nil {
		return "", fmt.Errorf("what is known of this Pod is not valid: %w", err)
	}
	return testimony.String(), nil
}

// Await implements Witness. It watches the Pod that the testimony names.
func (p *Pod) Await(ctx context.Context, testimony string) (Proof, error) {
	if err := bearable(testimony); err != nil {
		return Proof{}, err
	}
	t, err := death.ParsePodTestimony(testimony)
	if err != nil {
		return Proof{}, noProof("%w", err)
	}
	if p.Client == nil {
		return Proof{}, noProof("Pod.Client is nil")
	}
	w := podWatch{pods: p.Client.Pods(t.Namespace), of: t}
	pace := newPace()
	for {
		evidence, err := w.once(ctx)
		switch {
		case evidence != "":
			return Proof{Testimony: testimony, Evidence: evidence}, nil
		case ctx.Err() != nil:
			return Proof{}, context.Cause(ctx)
		case errors.Is(err, ErrNoProof):
			return Proof{}, err
		}
		p.say(ctx, t, err)
		if err := sleep(ctx, pace.next(err, w.lasted)); err != nil {
			return Proof{}, err
		}
	}
}
