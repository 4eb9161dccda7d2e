package options

import (
	"fmt"
	"time"

	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection/witness"
)

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
