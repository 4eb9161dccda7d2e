// Package ways makes a manager in each of the four ways in which
// controller-runtime and Holdfast go together, as the code of an operator would.
// README.md, a folder above, compares them.
package ways

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/holdfast-go/holdfast/dialer"
	holdfastctrl "github.com/holdfast-go/holdfast/leaderelection/controllerruntime"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// Way is how a manager is elected.
type Way string

const (
	// Unchanged is controller-runtime as it is.
	Unchanged Way = "unchanged"
	// HardenedConfig is controller-runtime's lock and elector on connections that
	// cannot stall.
	HardenedConfig Way = "config"
	// Lock is client-go's elector, as controller-runtime runs it, with our lock.
	Lock Way = "lock"
	// Elector is our lock and our elector.
	Elector Way = "elector"
)

// Ways are all of them, from what changes nothing to what changes most.
var Ways = []Way{Unchanged, HardenedConfig, Lock, Elector}

// UnmarshalText implements encoding.TextUnmarshaler. Its error names the ways
// there are.
func (w *Way) UnmarshalText(text []byte) error {
	if read := Way(text); slices.Contains(Ways, read) {
		*w = read
		return nil
	}
	var names []string
	for _, w := range Ways {
		names = append(names, string(w))
	}
	return fmt.Errorf("way %q: must be one of %s", text, strings.Join(names, ", "))
}

// MarshalText implements encoding.TextMarshaler; it never fails.
func (w Way) MarshalText() ([]byte, error) { return []byte(w), nil }

// NewManager returns a manager that is elected in the way w. options must say
// the three durations, LeaderElectionID and LeaderElectionNamespace; an error
// names the one that is missing. config, which is not changed, shows the way to
// the API and has not been hardened. But for Unchanged, whatever else the
// manager sends goes through connections that are dropped when they have been
// silent for RenewDeadline.
func NewManager(w Way, config *rest.Config, options ctrl.Options) (ctrl.Manager, error) {
	for name, d := range map[string]*time.Duration{
		"LeaseDuration": options.LeaseDuration, "RenewDeadline": options.RenewDeadline, "RetryPeriod": options.RetryPeriod,
	} {
		if d == nil {
			return nil, fmt.Errorf("options.%s is nil: it must be set", name)
		}
	}
	options.LeaderElection = true
	switch w {
	case Unchanged:
		return ctrl.NewManager(config, options)
	case Elector:
		return holdfastctrl.NewManager(config, options)
	}
	traffic, err := dialer.HardenTraffic(config, *options.RenewDeadline)
	if err != nil {
		return nil, err
	}
	switch w {
	case HardenedConfig:
		options.LeaderElectionConfig, err = dialer.Harden(config, dialer.Budget{Answer: *options.RenewDeadline})
		if err != nil {
			return nil, err
		}
		return ctrl.NewManager(traffic, options)
	case Lock:
		options.LeaderElectionResourceLockInterface, err = newLock(config, options)
		if err != nil {
			return nil, err
		}
		return ctrl.NewManager(traffic, options)
	default:
		return nil, fmt.Errorf("way %q: there is no such way", w)
	}
}

// newLock returns our lock on the Lease that options name, for client-go's
// elector.
func newLock(config *rest.Config, options ctrl.Options) (resourcelock.Interface, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("make an identity from the host's name: %w", err)
	}
	return resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock,
		options.LeaderElectionNamespace, options.LeaderElectionID,
		resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
		config, callBound(*options.LeaseDuration, *options.RenewDeadline, *options.RetryPeriod))
}

// callBound returns how long one call to a lock under client-go's elector may
// take. That elector gives up RenewDeadline + RetryPeriod after its last renewal,
// tries to release, and tells of the loss only when that call has returned. Half
// of what the lease then has left lets the work stop within the other half.
// Where nothing is left, it is what client-go gives its own lock's requests.
func callBound(lease, deadline, retry time.Duration) time.Duration {
	if left := lease - deadline - retry; left > 0 {
		return min(deadline, left) / 2
	}
	return deadline / 2
}
