package options

import (
	"fmt"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

// Witnesses returns the witnesses of the election: leaderelection.DefaultWitnesses and,
// with WitnessPod, witness.Pod over the API that kubeconfig shows the way to. The error
// says what in kubeconfig cannot be used.
func (o Options) Witnesses(kubeconfig *rest.Config) ([]witness.Witness, error) {
	all := leaderelection.DefaultWitnesses()
	if !o.WitnessPod {
		return all, nil
	}
	config, err := o.Election()
	if err != nil {
		return nil, err
	}
	pod, err := podWitness(kubeconfig, config.RenewDeadline)
	if err != nil {
		return nil, err
	}
	return append(all, pod), nil
}

// podWitness returns the witness of Pods over the API that kubeconfig shows the way to.
// Its connections are its own, so that what it watches never delays the lock, and end
// within the given bound when they have died.
func podWitness(kubeconfig *rest.Config, within time.Duration) (*witness.Pod, error) {
	hardened, err := dialer.HardenTraffic(kubeconfig, within)
	if err != nil {
		return nil, fmt.Errorf("connections of the Pod witness: %w", err)
	}
	client, err := corev1client.NewForConfig(hardened)
	if err != nil {
		return nil, fmt.Errorf("client of the Pod witness: %w", err)
	}
	return &witness.Pod{Client: client}, nil
}
