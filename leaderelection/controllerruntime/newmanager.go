package holdfastctrl

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/fence"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// The durations of an election whose Options name none: controller-runtime's.
const (
	DefaultLeaseDuration = 15 * time.Second
	DefaultRenewDeadline = 10 * time.Second
	DefaultRetryPeriod   = 2 * time.Second
)

// namespaceFile holds the namespace of the Pod that a process runs in.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// NewManager is manager.New with Holdfast's elector in place of client-go's; the
// LeaderElection fields of options mean what they do there. Without
// LeaderElection it is manager.New itself, otherwise it returns a *Manager.
//
// config is what ctrl.GetConfig returned. From it NewManager makes the manager's
// traffic (FeatureTraffic) and, with connections of its own that cannot stall,
// the lock; it is not changed. One that dialer.Harden or dialer.HardenTraffic has
// made is an error. LeaderElectionConfig is for a lock on another API server, or
// with other credentials, and the same holds for it.
// LeaderElectionResourceLockInterface is taken as it is.
//
// Where the election has a fence (package fence), a write of the manager's client
// that it refuses ends the term if another leads, and else is sent again for up to a
// second (leaderelection.FenceWrapper).
//
// With LeaderElectionReleaseOnCancel the Runnables may take
// GracefulShutdownTimeout to return; so long the lease is renewed. It is safe
// whether or not the process exits at once. Without it a standby waits for the
// lease to run out at every rollout.
func NewManager(config *rest.Config, options manager.Options, changes ...Option) (manager.Manager, error) {
	if !options.LeaderElection {
		return manager.New(config, options)
	}
	chosen, err := choose(changes)
	if err != nil {
		return nil, err
	}
	if err := untouched(config, options.LeaderElectionConfig); err != nil {
		return nil, fmt.Errorf("holdfastctrl: %w", err)
	}
	election := electionOf(options)
	traffic := config
	if chosen.has(FeatureTraffic) {
		if traffic, err = dialer.HardenTraffic(config, election.RenewDeadline); err != nil {
			return nil, fmt.Errorf("holdfastctrl: %w; Without(FeatureTraffic) leaves the manager's traffic as it is", err)
		}
	}
	plain := options
	plain.LeaderElection = false
	// manager.New would make an event recorder from it, and add to the scheme,
	// which may be in use.
	plain.LeaderElectionConfig = nil
	traffic = rest.CopyConfig(traffic)
	elector := new(atomic.Pointer[leaderelection.LeaderElector])
	traffic.Wrap(leaderelection.FenceWrapper(elector.Load))
	inner, err := manager.New(traffic, plain)
	if err != nil {
		return nil, err
	}
	if election.Lock == nil {
		identity, err := identityOf(config, options.LeaderElectionConfig) // first the one that the work writes with
		if err != nil {
			return nil, fmt.Errorf("holdfastctrl: %w", err)
		}
		if options.LeaderElectionConfig != nil {
			config = options.LeaderElectionConfig
		}
		if election.Lock, err = newLock(config, identity, inner, options, election); err != nil {
			return nil, fmt.Errorf("holdfastctrl: %w", err)
		}
	}
	m, err := New(inner, election, changes...)
	if err != nil {
		return nil, err
	}
	elector.Store(m.elector)
	return m, nil
}

// untouched returns an error that names the configuration that is missing, or has
// been hardened already: bounds upon bounds would be neither's.
func untouched(config, lock *rest.Config) error {
	switch {
	case config == nil:
		return errors.New("NewManager: config is nil: it must be what ctrl.GetConfig returns")
	case hardened(config):
		return errors.New("config has been hardened already: hand in the one that dialer.Harden or dialer.HardenTraffic was given, NewManager hardens it")
	case lock != nil && hardened(lock):
		return errors.New("LeaderElectionConfig has been hardened already: leave it empty, or hand in the one that dialer.Harden was given, NewManager hardens it")
	}
	return nil
}

// hardened reports whether package dialer has made config.
func hardened(config *rest.Config) bool {
	if config.WrapTransport == nil {
		return false
	}
	_, is := dialer.StatsOf(config.WrapTransport(nowhere{}))
	return is
}

// nowhere is a round tripper that is wrapped and never used.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no request was to be sent")
}

// electionOf returns the election that options describe, but for a lock that
// has to be made.
func electionOf(options manager.Options) leaderelection.LeaderElectionConfig {
	return leaderelection.LeaderElectionConfig{
		Lock:            options.LeaderElectionResourceLockInterface,
		LeaseDuration:   ptr.Deref(options.LeaseDuration, DefaultLeaseDuration),
		RenewDeadline:   ptr.Deref(options.RenewDeadline, DefaultRenewDeadline),
		RetryPeriod:     ptr.Deref(options.RetryPeriod, DefaultRetryPeriod),
		ReleaseOnCancel: options.LeaderElectionReleaseOnCancel,
		StopTimeout:     stopTimeout(options.GracefulShutdownTimeout),
		Name:            options.LeaderElectionID,
	}
}

// stopTimeout returns how long the elector waits for Runnables to return: as
// long as the manager does, which waits 30 s where nothing is said and without
// end for a negative time. A manager that does not wait leaves it to the elector.
func stopTimeout(graceful *time.Duration) time.Duration {
	const unsaid = 30 * time.Second
	if wait := ptr.Deref(graceful, unsaid); wait >= 0 {
		return wait
	}
	return math.MaxInt64
}

func newLock(config *rest.Config, identity string, inner manager.Manager, options manager.Options, election leaderelection.LeaderElectionConfig) (resourcelock.Interface, error) {
	kind := cmp.Or(options.LeaderElectionResourceLock, resourcelock.LeasesResourceLock)
	if options.LeaderElectionID == "" {
		return nil, errors.New("LeaderElectionID is empty: it must name the Lease to contend for")
	}
	namespace, err := namespaceOf(options)
	if err != nil {
		return nil, err
	}
	return resourcelock.NewFromKubeconfigWithOptions(kind, namespace, options.LeaderElectionID, resourcelock.ResourceLockConfig{
		Identity: identity,
		//nolint:staticcheck // deprecated: locks record events of the core API, as controller-runtime's own does
		EventRecorder: inner.GetEventRecorderFor(identity),
	}, config, resourcelock.Options{
		LeaseDuration: election.LeaseDuration,
		RenewDeadline: election.RenewDeadline,
		RetryPeriod:   election.RetryPeriod,
		Labels:        options.LeaderElectionLabels,
	})
}

// identityOf is that of the Pod whose token the first of the configurations has that has
// one, by which package fence knows it, and where there is none controller-runtime's
// own: the host's name and a random word.
func identityOf(configs ...*rest.Config) (string, error) {
	for _, config := range configs {
		if config == nil {
			continue
		}
		if identity, err := fence.IdentityOf(config); !errors.Is(err, fence.ErrNoPod) {
			return identity, err
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("make an identity from the host's name: %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
}

// namespaceOf returns the Lease's namespace: the Pod's where none is said.
func namespaceOf(options manager.Options) (string, error) {
	if options.LeaderElectionNamespace != "" {
		return options.LeaderElectionNamespace, nil
	}
	content, err := os.ReadFile(namespaceFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("not running in a cluster: set LeaderElectionNamespace, the namespace of the Lease")
	}
	if err != nil {
		return "", fmt.Errorf("LeaderElectionNamespace is empty, and the namespace of the Pod cannot be read: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}
