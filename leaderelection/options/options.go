package options

import (
	"encoding"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// Options are all that a user may choose about an election, by flags or in a
// configuration file. They are a plain value; the zero value does not elect.
type Options struct {
	// LeaderElect says whether to contend at all. Without it the work is to run
	// unguarded; that is the caller's part.
	LeaderElect bool `json:"leaderElect"`
	// LeaseDuration, RenewDeadline and RetryPeriod are those of
	// leaderelection.LeaderElectionConfig. Zero is the profile's.
	LeaseDuration metav1.Duration `json:"leaseDuration,omitempty"`
	RenewDeadline metav1.Duration `json:"renewDeadline,omitempty"`
	RetryPeriod   metav1.Duration `json:"retryPeriod,omitempty"`
	// ResourceLock is the kind of lock: "leases" is the only one that Kubernetes
	// still has. Empty is "leases".
	ResourceLock string `json:"resourceLock,omitempty"`
	// ResourceName and ResourceNamespace name the Lease. Both must be set.
	ResourceName      string `json:"resourceName,omitempty"`
	ResourceNamespace string `json:"resourceNamespace,omitempty"`

	// Profile stands for the durations that are zero. Empty is DefaultProfile.
	Profile Profile `json:"profile,omitempty"`
	// Mode says how the lock's connections die in time. Zero is
	// dialer.UserTimeout.
	Mode dialer.Mode `json:"mode,omitempty"`
	// ReleaseOnCancel, StopTimeout and ContendAgain are those of
	// leaderelection.LeaderElectionConfig.
	ReleaseOnCancel bool            `json:"releaseOnCancel,omitempty"`
	StopTimeout     metav1.Duration `json:"stopTimeout,omitempty"`
	ContendAgain    bool            `json:"contendAgain,omitempty"`
}

// Default returns options that elect, by the default profile. The Lease is yet
// to be named.
func Default() Options {
	return Options{LeaderElect: true, ResourceLock: resourcelock.LeasesResourceLock, Profile: DefaultProfile}
}

// FlagSet is what AddFlags needs of a set of flags: *flag.FlagSet and
// *pflag.FlagSet have it.
type FlagSet interface {
	BoolVar(p *bool, name string, value bool, usage string)
	StringVar(p *string, name string, value string, usage string)
	DurationVar(p *time.Duration, name string, value time.Duration, usage string)
	TextVar(p encoding.TextUnmarshaler, name string, value encoding.TextMarshaler, usage string)
}

// AddFlags adds a flag for every option to flags; what o holds are the defaults.
func (o *Options) AddFlags(flags FlagSet) {
	flags.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect, "contend for a lease before the work begins; needed when there are replicas")
	flags.TextVar(&o.Profile, "leader-elect-profile", o.Profile, "the durations that are not set: default (15s, 10s, 2s), fast (3s, 2s, 500ms) or calm (60s, 40s, 8s)")
	flags.DurationVar(&o.LeaseDuration.Duration, "leader-elect-lease-duration", o.LeaseDuration.Duration, "how long a leader that died is waited for; 0: the profile's")
	flags.DurationVar(&o.RenewDeadline.Duration, "leader-elect-renew-deadline", o.RenewDeadline.Duration, "how long a leader tries to renew; less than the lease duration; 0: the profile's")
	flags.DurationVar(&o.RetryPeriod.Duration, "leader-elect-retry-period", o.RetryPeriod.Duration, "time between two renewals; 0: the profile's")
	flags.StringVar(&o.ResourceLock, "leader-elect-resource-lock", o.ResourceLock, "kind of the lock; only leases is left")
	flags.StringVar(&o.ResourceName, "leader-elect-resource-name", o.ResourceName, "name of the Lease")
	flags.StringVar(&o.ResourceNamespace, "leader-elect-resource-namespace", o.ResourceNamespace, "namespace of the Lease")
	flags.TextVar(&o.Mode, "leader-elect-mode", o.Mode, "how the lock's connections die in time: user-timeout or fresh")
	flags.BoolVar(&o.ReleaseOnCancel, "leader-elect-release-on-cancel", o.ReleaseOnCancel, "release the lease when told to stop, once the work has returned")
	flags.DurationVar(&o.StopTimeout.Duration, "leader-elect-stop-timeout", o.StopTimeout.Duration, "how long the work may take to stop before the lease is left to run out; 0: the renew deadline, at least 10s")
	flags.BoolVar(&o.ContendAgain, "leader-elect-contend-again", o.ContendAgain, "contend again after a lost term instead of ending")
}

// Validate returns an error that names every option that cannot be used, its
// value and what it must be; nil where LeaderElect is not set.
func (o Options) Validate() error {
	if !o.LeaderElect {
		return nil
	}
	var faults []error
	if o.ResourceLock != "" && o.ResourceLock != resourcelock.LeasesResourceLock {
		faults = append(faults, fmt.Errorf("resourceLock %q: must be %q", o.ResourceLock, resourcelock.LeasesResourceLock))
	}
	for _, name := range []struct {
		field, value string
		wrong        []string
	}{
		{"resourceName", o.ResourceName, validation.IsDNS1123Subdomain(o.ResourceName)},
		{"resourceNamespace", o.ResourceNamespace, validation.IsDNS1123Label(o.ResourceNamespace)},
	} {
		if len(name.wrong) > 0 {
			faults = append(faults, fmt.Errorf("%s %q: %s", name.field, name.value, strings.Join(name.wrong, "; ")))
		}
	}
	config, err := o.timed()
	if err == nil {
		_, err = o.lock(config).Budget()
	}
	return errors.Join(append(faults, err)...)
}

// timed returns a configuration with the durations filled in.
func (o Options) timed() (leaderelection.LeaderElectionConfig, error) {
	var config leaderelection.LeaderElectionConfig
	if err := o.Profile.Durations(&config); err != nil {
		return config, err
	}
	for _, set := range []struct {
		to   *time.Duration
		from metav1.Duration
	}{{&config.LeaseDuration, o.LeaseDuration}, {&config.RenewDeadline, o.RenewDeadline}, {&config.RetryPeriod, o.RetryPeriod}} {
		if set.from.Duration != 0 {
			*set.to = set.from.Duration
		}
	}
	return config, nil
}

// lock returns what the lock's connections are made from.
func (o Options) lock(config leaderelection.LeaderElectionConfig) resourcelock.Options {
	return resourcelock.Options{
		LeaseDuration: config.LeaseDuration,
		RenewDeadline: config.RenewDeadline,
		RetryPeriod:   config.RetryPeriod,
		Mode:          o.Mode,
	}
}

// Config returns the configuration of an election as identity, over the API
// that kubeconfig shows the way to, with a lock whose connections cannot stall.
// Callbacks are yet to be set. The identity must be unique among all contenders.
// It fails where LeaderElect is not set, and with the error of Validate.
func (o Options) Config(kubeconfig *rest.Config, identity string) (leaderelection.LeaderElectionConfig, error) {
	fail := func(err error) (leaderelection.LeaderElectionConfig, error) {
		return leaderelection.LeaderElectionConfig{}, fmt.Errorf("leader election options: %w", err)
	}
	if !o.LeaderElect {
		return fail(errors.New("leaderElect is false: there is nothing to contend for"))
	}
	if err := o.Validate(); err != nil {
		return fail(err)
	}
	config, err := o.timed()
	if err != nil {
		return fail(err)
	}
	config.Lock, err = resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, o.ResourceNamespace, o.ResourceName,
		resourcelock.ResourceLockConfig{Identity: identity}, kubeconfig, o.lock(config))
	if err != nil {
		return fail(err)
	}
	config.Name = o.ResourceName
	config.ReleaseOnCancel = o.ReleaseOnCancel
	config.StopTimeout = o.StopTimeout.Duration
	config.ContendAgain = o.ContendAgain
	return config, nil
}
