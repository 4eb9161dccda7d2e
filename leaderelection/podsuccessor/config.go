package podsuccessor

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// DefaultBound is how long listing the Pods may take unless Config.Bound says otherwise.
const DefaultBound = time.Second

// Config says which Pods contend.
type Config struct {
	// Pods is the API of the Pods in the namespace of the election, such as
	// client.CoreV1().Pods(namespace). It must not be nil. Its client should be one
	// whose connections cannot stall (dialer.HardenTraffic), and must not be one of
	// Guard: it is asked when the term is over.
	Pods typedcorev1.PodInterface

	// Pod is the name of this contender's own Pod (metadata.name), which is never named.
	Pod string

	// Selector selects the Pods of the election by their labels, in all revisions, as
	// in "app.kubernetes.io/name=carts". It must not be empty.
	Selector string

	// Bound is how long listing the Pods may take, where the elector leaves more. Zero
	// is DefaultBound.
	Bound time.Duration
}

// New returns the hook for LeaderElectionConfig.Successor that config describes, which is
// safe for concurrent use. The error names the field that cannot be used.
func New(config Config) (func(ctx context.Context) (identity string, err error), error) {
	if config.Bound == 0 {
		config.Bound = DefaultBound
	}
	selector, err := labels.Parse(config.Selector)
	switch {
	case config.Pods == nil:
		return nil, errors.New("podsuccessor: Config.Pods is nil: must be the API of the Pods of one namespace")
	case len(validation.IsDNS1123Subdomain(config.Pod)) > 0:
		return nil, fmt.Errorf("podsuccessor: Config.Pod is %q: must be the name of the own Pod", config.Pod)
	case err != nil:
		return nil, fmt.Errorf("podsuccessor: Config.Selector is %q: %w", config.Selector, err)
	case selector.Empty():
		return nil, fmt.Errorf("podsuccessor: Config.Selector is %q: must select the Pods of the election", config.Selector)
	case config.Bound < 0:
		return nil, fmt.Errorf("podsuccessor: Config.Bound is %v: must not be negative; zero is %v", config.Bound, DefaultBound)
	}
	return (&hook{config: config}).name, nil
}

type hook struct {
	config Config
	calls  bounded.Calls
}

// name lists the Pods and returns the name of the next leader's, within the bound,
// however deaf the client is to its end.
func (h *hook) name(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(bounded.Awaited(ctx), h.config.Bound, fmt.Errorf("no answer within %v", h.config.Bound))
	defer cancel()
	list, err := bounded.Do(ctx, ctx, &h.calls, func(ctx context.Context) (*corev1.PodList, error) {
		return h.config.Pods.List(ctx, metav1.ListOptions{LabelSelector: h.config.Selector})
	})
	if err != nil {
		return "", fmt.Errorf("listing the Pods of the election, %s: %w", h.config.Selector, err)
	}
	return choose(list.Items, h.config.Pod), nil
}
