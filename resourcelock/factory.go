package resourcelock

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	restclient "k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/internal/redirect"
)

// Factory makes locks that share one hardened client: a thousand leases need a
// handful of connections, and one watch for each namespace.
//
// What its locks share:
//
//   - The transport. Requests take turns: six are under way at once while all are
//     answered soon. A request that is slow, and that later ones have overtaken, stops counting
//     after the time in which it would be hedged, so a slow lease does not delay the
//     others. Where none is answered, all stop counting after Budget.Connect. The bound of
//     a call includes the wait for its turn. Of an elector's calls that wait, renewals
//     go first, then claims, then the reads of candidates; but each eighth turn is that of
//     whichever has waited longest.
//   - The watch. One watch on all Leases of a namespace serves all locks on them, if
//     RBAC grants list and watch on them. Otherwise each lock watches its own Lease
//     by name, on a connection of its own.
//   - The hedging budget of the transport (dialer.Transport).
//
// A Factory need not be closed: its idle connections are closed when nothing refers to
// it or to any of its locks any more. It is safe for concurrent use.
type Factory struct {
	client  *coordinationv1.CoordinationV1Client
	labels  map[string]string
	watches *sharedWatches
	bound   time.Duration // of a call
	heeds   bool          // every call returns when its context ends

	mu sync.Mutex
	// names counts, for each namespace, the locks there are on each Lease.
	names map[string]map[string]int
}

// NewFactory returns a Factory whose locks reach the API the way config (not
// changed) shows. Options are those of NewFromKubeconfigWithOptions and hold for
// all of its locks; an error names field, value and relation.
//
// No two Factories share anything, whatever they were made from.
func NewFactory(config *restclient.Config, options Options) (*Factory, error) {
	budget, err := options.budgetFor(config)
	if err != nil {
		return nil, err
	}
	return newFactory(config, budget, options.Meter, options.Labels)
}

// Lock returns a lock on the Lease ns/name. The lock type must be
// LeasesResourceLock (ErrLockType otherwise).
func (f *Factory) Lock(lockType string, ns string, name string, rlc ResourceLockConfig) (Interface, error) {
	if err := checkLockType(lockType); err != nil {
		return nil, err
	}
	return f.lock(ns, name, rlc, f.labels), nil
}

func (f *Factory) lock(ns, name string, rlc ResourceLockConfig, labels map[string]string) *LeaseLock {
	l := &LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: ns, Name: name},
		Client:     f.client,
		LockConfig: rlc,
		Labels:     labels,
		factory:    f,
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names[ns] == nil {
		f.names[ns] = map[string]int{}
	}
	f.names[ns][name]++
	runtime.AddCleanup(l, f.forget, scope{ns, name})
	return l
}

// forget notes that a lock has gone.
func (f *Factory) forget(lease scope) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := f.names[lease.namespace]
	if names[lease.name]--; names[lease.name] > 0 {
		return
	}
	delete(names, lease.name)
	if len(names) == 0 {
		delete(f.names, lease.namespace)
	}
}

// many reports whether there are locks on several Leases of a namespace.
func (f *Factory) many(ns string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.names[ns]) > 1
}

// budgetFor checks what a client is to be made from.
func (o Options) budgetFor(config *restclient.Config) (dialer.Budget, error) {
	if config == nil {
		return dialer.Budget{}, errors.New("kubeconfig is nil: the lock needs to know where the API is; see rest.InClusterConfig")
	}
	return o.Budget()
}

func newFactory(config *restclient.Config, budget dialer.Budget, meter *dialer.Meter, labels map[string]string) (*Factory, error) {
	// Each write is conditional: the second of two equal ones is refused.
	options := []dialer.Option{
		dialer.WithHedgeable(func(*http.Request) bool { return true }),
		dialer.WithStreams(isWatch),
	}
	if meter != nil {
		options = append(options, dialer.WithMeter(meter))
	}
	heeds := heedsContexts(config)
	hardened, err := dialer.Harden(config, budget, options...)
	switch {
	case errors.Is(err, dialer.ErrOpaqueTransport):
		hardened, heeds = timed(config, budget), false
	case err != nil:
		return nil, err
	default:
		queue(hardened)
	}
	hardened.Wrap(redirect.Limit)
	client, err := coordinationv1.NewForConfig(restclient.AddUserAgent(hardened, userAgentSuffix))
	if err != nil {
		return nil, fmt.Errorf("building the client: %w", err)
	}
	if kept, is := dialer.Hardened(transportOf(client)); is {
		budget = kept // of a Timeout of the user's that is tighter
	}
	return &Factory{
		client:  client,
		labels:  labels,
		watches: newSharedWatches(client, budget, heeds),
		bound:   budget.Answer,
		heeds:   heeds,
		names:   map[string]map[string]int{},
	}, nil
}

// mostIdle is how many idle connections are kept. While a limiter is wider, its
// connections are in use rather than idle, and while requests wait for it, some
// are opened that nobody takes: what is too many for a limiter at rest is closed as
// it becomes idle.
const mostIdle = leastWidth + 2

// queue makes the requests of every client made from hardened take turns.
func queue(hardened *restclient.Config) {
	wrap := hardened.WrapTransport
	hardened.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
		keepIdle(rt, mostIdle)
		next := wrap(rt)
		budget, _ := dialer.Hardened(next)
		return newTurns(next, budget)
	}
}
