package options

import (
	"encoding"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
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
	// dialer.KeepConnections.
	Mode dialer.Mode `json:"mode,omitempty"`
	// ReleaseOnCancel, StopTimeout and ContendAgain are those of
	// leaderelection.LeaderElectionConfig. Default sets ReleaseOnCancel: a release
	// waits for the work, so it is safe.
	ReleaseOnCancel bool            `json:"releaseOnCancel"`
	StopTimeout     metav1.Duration `json:"stopTimeout,omitempty"`
	ContendAgain    bool            `json:"contendAgain,omitempty"`
	// Coordinated leaves the choice of leader to the API server, as in
	// leaderelection.LeaderElectionConfig. Announcing the candidate
	// (leaderelection.NewCandidate) is the caller's part.
	Coordinated bool `json:"coordinated,omitempty"`
	// WitnessPod adds witness.Pod to the witnesses of the election: a leader whose
	// container is seen to have ended by the kubelet is replaced at once, also from
	// another node. It takes the right to watch Pods in the namespace of the leader's,
	// and writes a line into the termination log of the container.
	WitnessPod bool `json:"witnessPod,omitempty"`
	// Priority is how much this contender is preferred to lead, from 0 to
	// leaderelection.MaxPriority, the same all the time. Nil is MaxPriority.
	Priority *int `json:"priority,omitempty"`
	// SuccessorWait and HandoverAfter are those of
	// leaderelection.LeaderElectionConfig.
	SuccessorWait metav1.Duration `json:"successorWait,omitempty"`
	HandoverAfter metav1.Duration `json:"handoverAfter,omitempty"`
	// ResourceLabels are put on the Lease with every write, beside those that
	// others have put there. Empty puts none.
	ResourceLabels map[string]string `json:"resourceLabels,omitempty"`
}

// Default returns options that elect, by the default profile, and release the
// lease when they are told to stop. The Lease is yet to be named.
func Default() Options {
	return Options{LeaderElect: true, ResourceLock: resourcelock.LeasesResourceLock, Profile: DefaultProfile, ReleaseOnCancel: true}
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
	flags.TextVar(&o.Profile, "leader-elect-profile", o.Profile, "`profile` of the durations that are not set: default (15s, 10s, 2s), fast (3s, 2s, 500ms) or calm (60s, 40s, 8s)")
	flags.DurationVar(&o.LeaseDuration.Duration, "leader-elect-lease-duration", o.LeaseDuration.Duration, "how long standbys wait after the last renewal before one takes over; 0: the profile's")
	flags.DurationVar(&o.RenewDeadline.Duration, "leader-elect-renew-deadline", o.RenewDeadline.Duration, "how long a leader tries to renew; less than the lease duration; 0: the profile's")
	flags.DurationVar(&o.RetryPeriod.Duration, "leader-elect-retry-period", o.RetryPeriod.Duration, "time between two renewals; 0: the profile's")
	flags.StringVar(&o.ResourceLock, "leader-elect-resource-lock", o.ResourceLock, "kind of the lock; only leases is supported")
	flags.StringVar(&o.ResourceName, "leader-elect-resource-name", o.ResourceName, "name of the Lease")
	flags.StringVar(&o.ResourceNamespace, "leader-elect-resource-namespace", o.ResourceNamespace, "namespace of the Lease")
	flags.TextVar(&o.Mode, "leader-elect-mode", o.Mode, "`mode` in which the lock uses connections: keep-connections keeps them, new-connections opens one for each request")
	flags.BoolVar(&o.ReleaseOnCancel, "leader-elect-release-on-cancel", o.ReleaseOnCancel, "release the lease when told to stop, once the work has returned")
	flags.DurationVar(&o.StopTimeout.Duration, "leader-elect-stop-timeout", o.StopTimeout.Duration, "how long the work may take to stop before the lease is left to run out; 0: the renew deadline, at least 10s")
	flags.BoolVar(&o.ContendAgain, "leader-elect-contend-again", o.ContendAgain, "contend again after a lost term instead of ending")
	flags.BoolVar(&o.Coordinated, "leader-elect-coordinated", o.Coordinated, "leave the choice of leader to the API server (Coordinated Leader Election)")
	flags.BoolVar(&o.WitnessPod, "leader-elect-witness-pod", o.WitnessPod, "replace a leader at once when the kubelet says that its container has ended; needs the right to watch Pods")
	flags.TextVar(&priorityText{&o.Priority}, "leader-elect-priority", priorityText{&o.Priority}, "how much this contender is preferred to lead, `0…10`: it lets others go first for up to a second; not set: 10")
	flags.DurationVar(&o.SuccessorWait.Duration, "leader-elect-successor-wait", o.SuccessorWait.Duration, "how long to let one go first whom a release names; no more than the retry period; 0: 1s")
	flags.DurationVar(&o.HandoverAfter.Duration, "leader-elect-handover-after", o.HandoverAfter.Duration, "after so long a term, ask a leader of a lower priority to hand over, and hand over to one of a higher; at least the lease duration; 0: never")
	flags.TextVar((*labelsText)(&o.ResourceLabels), "leader-elect-resource-labels", labelsText(o.ResourceLabels), "`labels` of the Lease, as in team=a,tier=b")
}

// labelsText is labels as they stand in a flag.
type labelsText map[string]string

// MarshalText implements encoding.TextMarshaler; it never fails.
func (l labelsText) MarshalText() ([]byte, error) { return []byte(labels.Set(l).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *labelsText) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*l = nil
		return nil
	}
	set, err := labels.ConvertSelectorToLabelsMap(string(text))
	if err != nil {
		return fmt.Errorf("%q: must be labels as in team=a,tier=b: %w", text, err)
	}
	*l = labelsText(set)
	return nil
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
	if wrong := metav1validation.ValidateLabels(o.ResourceLabels, field.NewPath("resourceLabels")).ToAggregate(); wrong != nil {
		faults = append(faults, wrong)
	}
	if o.StopTimeout.Duration < 0 {
		faults = append(faults, fmt.Errorf("stopTimeout %v: must not be negative; 0 is the renew deadline, at least 10s", o.StopTimeout.Duration))
	}
	if o.SuccessorWait.Duration < 0 {
		faults = append(faults, fmt.Errorf("successorWait %v: must not be negative; 0 is 1s", o.SuccessorWait.Duration))
	}
	if err := validPriority(o.Priority); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(append(faults, o.validateDurations())...)
}

// validateDurations checks the durations as they are after the profile has
// filled them in: against each other, and what the lock derives from them.
func (o Options) validateDurations() error {
	election, err := o.Election()
	if err != nil {
		return err
	}
	if err := election.ValidateDurations(); err != nil {
		return o.nameProfile(err)
	}
	if after := election.HandoverAfter; after < 0 || after > 0 && after < election.LeaseDuration {
		return fmt.Errorf("handoverAfter %v: must be 0, for never, or at least the lease duration (%v)", after, election.LeaseDuration)
	}
	lock, err := o.Lock()
	if err != nil {
		return err
	}
	_, err = lock.Budget()
	return o.nameProfile(err)
}

// nameProfile says of an error about durations which of them the user has not
// set, and where those come from.
func (o Options) nameProfile(err error) error {
	var unset []string
	for _, d := range []struct {
		flag  string
		value metav1.Duration
	}{
		{"--leader-elect-lease-duration", o.LeaseDuration},
		{"--leader-elect-renew-deadline", o.RenewDeadline},
		{"--leader-elect-retry-period", o.RetryPeriod},
	} {
		if d.value.Duration == 0 {
			unset = append(unset, d.flag)
		}
	}
	if err == nil || len(unset) == 0 || len(unset) == 3 {
		return err
	}
	profile, _ := o.Profile.MarshalText()
	return fmt.Errorf("%w; the profile %q stands for what is not set: set %s too, or choose another --leader-elect-profile", err, profile, strings.Join(unset, " and "))
}

// Election returns the configuration of the election without Lock, Witnesses, Callbacks and
// what else is code (Successor), the durations of the profile filled in. Who makes
// the lock himself sets Witnesses to those that Witnesses returns. Its Name is that of the
// Lease. The only error is that of an unknown profile: what cannot be used
// together is for Validate to say.
func (o Options) Election() (leaderelection.LeaderElectionConfig, error) {
	config := leaderelection.LeaderElectionConfig{
		Name:            o.ResourceName,
		ReleaseOnCancel: o.ReleaseOnCancel,
		StopTimeout:     o.StopTimeout.Duration,
		ContendAgain:    o.ContendAgain,
		Coordinated:     o.Coordinated,
		SuccessorWait:   o.SuccessorWait.Duration,
		HandoverAfter:   o.HandoverAfter.Duration,
	}
	if o.Priority != nil {
		priority := *o.Priority
		config.Priority = func() int { return priority }
	}
	if err := o.Profile.Durations(&config); err != nil {
		return leaderelection.LeaderElectionConfig{}, err
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

// Lock returns what the lock's connections are made from, for a caller who
// makes the lock: to count what becomes of them (Meter), or to make many with
// one resourcelock.Factory. Its error is that of Election.
func (o Options) Lock() (resourcelock.Options, error) {
	config, err := o.Election()
	return resourcelock.Options{
		LeaseDuration: config.LeaseDuration,
		RenewDeadline: config.RenewDeadline,
		RetryPeriod:   config.RetryPeriod,
		Mode:          o.Mode,
		Labels:        o.ResourceLabels,
	}, err
}

// Config returns the configuration of an election over the API that kubeconfig
// shows the way to, with a lock whose connections cannot stall. Callbacks are
// yet to be set. The identity in contender must be unique among all contenders.
// It fails where LeaderElect is not set, and with the error of Validate.
func (o Options) Config(kubeconfig *rest.Config, contender resourcelock.ResourceLockConfig) (leaderelection.LeaderElectionConfig, error) {
	fail := func(err error) (leaderelection.LeaderElectionConfig, error) {
		return leaderelection.LeaderElectionConfig{}, fmt.Errorf("leader election options: %w", err)
	}
	if !o.LeaderElect {
		return fail(errors.New("leaderElect is false: there is nothing to contend for"))
	}
	if err := o.Validate(); err != nil {
		return fail(err)
	}
	config, err := o.Election()
	if err != nil {
		return fail(err)
	}
	options, err := o.Lock()
	if err != nil {
		return fail(err)
	}
	config.Lock, err = resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, o.ResourceNamespace, o.ResourceName,
		contender, kubeconfig, options)
	if err != nil {
		return fail(err)
	}
	if o.WitnessPod { // else nil stands for the same
		if config.Witnesses, err = o.Witnesses(kubeconfig); err != nil {
			return fail(err)
		}
	}
	return config, nil
}
