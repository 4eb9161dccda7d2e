package resourcelock

import (
	"fmt"
	"time"

	restclient "k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
)

// userAgentSuffix tells the requests of lock clients from others in audit logs;
// it is client-go's, so that policies written for it go on matching.
const userAgentSuffix = "leader-election"

// Options are what NewFromKubeconfigWithOptions takes beyond the lock's name.
type Options struct {
	// RenewDeadline is the elector's: one call to the lock returns an answer or
	// an error within it. It must be positive.
	RenewDeadline time.Duration
	// LeaseDuration and RetryPeriod are the elector's. Zero means unknown; where
	// they are given, their relation to RenewDeadline is checked.
	LeaseDuration time.Duration
	RetryPeriod   time.Duration

	// Mode says how the lock's connections die in time; zero is
	// dialer.KeepConnections.
	Mode dialer.Mode
	// Labels are put on the Lease with every write; nil puts none.
	Labels map[string]string

	// Meter counts the lock's connections and requests; nil counts into one of
	// the transport's own (dialer.StatsOf).
	Meter *dialer.Meter
}

// Budget returns the bounds of the lock's round trips: the one place in which
// they are derived from the durations of the election. A call may take the
// whole renew deadline, since a connection that is silent costs only a
// twentieth of it (dialer.Budget.WithDefaults), not the call.
//
// The error names field, value and relation of what cannot fit together.
func (o Options) Budget() (dialer.Budget, error) {
	if o.RenewDeadline <= 0 {
		return dialer.Budget{}, fmt.Errorf("Options.RenewDeadline = %v: must be positive", o.RenewDeadline)
	}
	if o.LeaseDuration < 0 || (o.LeaseDuration > 0 && o.LeaseDuration <= o.RenewDeadline) {
		return dialer.Budget{}, fmt.Errorf("Options.LeaseDuration = %v: must be greater than RenewDeadline = %v, or zero for unknown", o.LeaseDuration, o.RenewDeadline)
	}
	if o.RetryPeriod < 0 || o.RetryPeriod >= o.RenewDeadline {
		return dialer.Budget{}, fmt.Errorf("Options.RetryPeriod = %v: must be less than RenewDeadline = %v, or zero for unknown", o.RetryPeriod, o.RenewDeadline)
	}
	budget := dialer.Budget{Mode: o.Mode, Answer: o.RenewDeadline}.WithDefaults()
	if err := budget.Validate(); err != nil {
		return dialer.Budget{}, fmt.Errorf("RenewDeadline = %v leaves no room for a round trip: %w", o.RenewDeadline, err)
	}
	return budget, nil
}

// NewFromKubeconfig returns a lock on the Lease ns/name with connections that
// only locks use, which kubeconfig (not changed) shows the way to. Each call to
// the lock returns within renewDeadline, whatever becomes of the connection it
// started on, and sooner if kubeconfig has a Timeout of less. The lock type must be LeasesResourceLock (ErrLockType otherwise).
//
// Locks made from configurations of equal content, with the same renewDeadline,
// share their connections, as locks of one Factory do; see there for what that
// means. Configurations that cannot be compared share nothing: those with a
// Dial, WrapTransport, Proxy, Transport, AuthProvider or AuthConfigPersister.
// Make such locks by a Factory.
func NewFromKubeconfig(lockType string, ns string, name string, rlc ResourceLockConfig, kubeconfig *restclient.Config, renewDeadline time.Duration) (Interface, error) {
	return NewFromKubeconfigWithOptions(lockType, ns, name, rlc, kubeconfig, Options{RenewDeadline: renewDeadline})
}

// NewFromKubeconfigWithOptions is NewFromKubeconfig with more to choose. Locks
// share connections if their RenewDeadline, Mode and Meter are equal too.
//
// A kubeconfig whose Transport is the caller's own RoundTripper, which nothing
// can be changed in, still makes a lock. It is bounded only by a timeout of its
// requests, as client-go's is, and the elector says so.
func NewFromKubeconfigWithOptions(lockType string, ns string, name string, rlc ResourceLockConfig, kubeconfig *restclient.Config, options Options) (Interface, error) {
	if err := checkLockType(lockType); err != nil {
		return nil, err
	}
	budget, err := options.budgetFor(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("lock %s/%s: %w", ns, name, err)
	}
	factory, err := shared.factoryFor(kubeconfig, budget, options.Meter)
	if err != nil {
		return nil, fmt.Errorf("lock %s/%s: %w", ns, name, err)
	}
	return factory.lock(ns, name, rlc, options.Labels), nil
}

// timed returns what can be done for a transport that cannot be opened: a
// request is given up halfway through the renew deadline, so that there is time
// for another. A Timeout that is tighter stays.
func timed(kubeconfig *restclient.Config, budget dialer.Budget) *restclient.Config {
	config := restclient.CopyConfig(kubeconfig)
	if half := budget.Answer / 2; config.Timeout <= 0 || config.Timeout > half {
		config.Timeout = half
	}
	return config
}
