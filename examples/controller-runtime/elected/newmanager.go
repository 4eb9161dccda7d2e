package elected

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/holdfast-go/holdfast/leaderelection"
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
// The lock is made from LeaderElectionConfig, or else from config, with
// connections of its own that cannot stall; neither is changed. Hand in one that
// dialer.Harden and dialer.HardenTraffic have not touched: where config is
// hardened, LeaderElectionConfig should be the original.
// LeaderElectionResourceLockInterface is taken as it is.
//
// With LeaderElectionReleaseOnCancel the Runnables may take
// GracefulShutdownTimeout to return; so long the lease is renewed. It is safe
// whether or not the process exits at once.
//
// Each of changes is called with the election when it is complete, for what
// options cannot say, such as a Trace or callbacks; without LeaderElection none
// is.
func NewManager(config *rest.Config, options manager.Options, changes ...func(*leaderelection.LeaderElectionConfig)) (manager.Manager, error) {
	if !options.LeaderElection {
		return manager.New(config, options)
	}
	kind := options.LeaderElectionResourceLock
	if kind == "" {
		kind = resourcelock.LeasesResourceLock
	}
	election := electionOf(options)
	plain := options
	plain.LeaderElection = false
	// manager.New would make an event recorder from it, and add to the scheme,
	// which may be in use.
	plain.LeaderElectionConfig = nil
	inner, err := manager.New(config, plain)
	if err != nil {
		return nil, err
	}
	if election.Lock == nil {
		if options.LeaderElectionConfig != nil {
			config = options.LeaderElectionConfig
		}
		if election.Lock, err = newLock(kind, config, inner, options, election); err != nil {
			return nil, fmt.Errorf("elected: %w", err)
		}
	}
	for _, change := range changes {
		change(&election)
	}
	return New(inner, election)
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

func newLock(kind string, config *rest.Config, inner manager.Manager, options manager.Options, election leaderelection.LeaderElectionConfig) (resourcelock.Interface, error) {
	if options.LeaderElectionID == "" {
		return nil, errors.New("LeaderElectionID is empty: it must name the Lease to contend for")
	}
	namespace, err := namespaceOf(options)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("make an identity from the host's name: %w", err)
	}
	identity := host + "_" + string(uuid.NewUUID())
	return resourcelock.NewFromKubeconfigWithOptions(kind, namespace, options.LeaderElectionID, resourcelock.ResourceLockConfig{
		Identity: identity,
		//lint:ignore SA1019 locks record events of the core API, as controller-runtime's own does
		EventRecorder: inner.GetEventRecorderFor(identity),
	}, config, resourcelock.Options{
		LeaseDuration: election.LeaseDuration,
		RenewDeadline: election.RenewDeadline,
		RetryPeriod:   election.RetryPeriod,
		Labels:        options.LeaderElectionLabels,
	})
}

// namespaceOf returns the Lease's namespace: the Pod's where none is said.
func namespaceOf(options manager.Options) (string, error) {
	if options.LeaderElectionNamespace != "" {
		return options.LeaderElectionNamespace, nil
	}
	content, err := os.ReadFile(namespaceFile)
	if err != nil {
		return "", fmt.Errorf("LeaderElectionNamespace is empty and this is no Pod to take it from: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}
