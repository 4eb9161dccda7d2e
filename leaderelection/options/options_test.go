package options_test

import (
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/options"
	"github.com/holdfast-go/holdfast/resourcelock"
)

var (
	_ options.FlagSet = (*flag.FlagSet)(nil)
	_ options.FlagSet = (*pflag.FlagSet)(nil)
)

var me = resourcelock.ResourceLockConfig{Identity: "me"}

func named() options.Options {
	o := options.Default()
	o.ResourceNamespace, o.ResourceName = "kube-system", "it"
	return o
}

func TestEveryOptionIsAFlag(t *testing.T) {
	args := strings.Fields("--leader-elect=true --leader-elect-profile=calm --leader-elect-lease-duration=30s --leader-elect-renew-deadline=20s " +
		"--leader-elect-retry-period=3s --leader-elect-resource-lock=leases --leader-elect-resource-name=it --leader-elect-resource-namespace=ns " +
		"--leader-elect-mode=new-connections --leader-elect-release-on-cancel --leader-elect-stop-timeout=5s --leader-elect-contend-again " +
		"--leader-elect-coordinated --leader-elect-witness-pod --leader-elect-priority=7 --leader-elect-successor-wait=500ms --leader-elect-handover-after=5m --leader-elect-resource-labels=team=a,tier=b")
	var want options.Options
	require.NoError(t, yaml.UnmarshalStrict([]byte(`{leaderElect: true, profile: calm, leaseDuration: 30s, renewDeadline: 20s, retryPeriod: 3s,
		resourceLock: leases, resourceName: it, resourceNamespace: ns, mode: new-connections, releaseOnCancel: true, stopTimeout: 5s, contendAgain: true, coordinated: true, witnessPod: true,
		priority: 7, successorWait: 500ms, handoverAfter: 5m,
		resourceLabels: {team: a, tier: b}}`), &want))
	for name, field := range fields(reflect.ValueOf(want)) {
		assert.False(t, field.IsZero(), "the test says nothing of %s", name)
	}

	for name, parse := range map[string]func(o *options.Options) error{
		"flag": func(o *options.Options) error {
			flags := flag.NewFlagSet("", flag.ContinueOnError)
			o.AddFlags(flags)
			return flags.Parse(args)
		},
		"pflag": func(o *options.Options) error {
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			o.AddFlags(flags)
			return flags.Parse(args)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options.Default()
			require.NoError(t, parse(&o))
			assert.Equal(t, want, o, "flags and file say the same")
		})
	}
}

func TestADurationThatDoesNotFitTheProfileNamesFlagAndProfile(t *testing.T) {
	o := named()
	o.LeaseDuration.Duration = 5 * time.Second
	err := o.Validate()
	for _, says := range []string{"LeaseDuration = 5s", `profile "default"`, "--leader-elect-renew-deadline and --leader-elect-retry-period", "--leader-elect-profile"} {
		assert.ErrorContains(t, err, says)
	}
	o.RenewDeadline.Duration, o.RetryPeriod.Duration = 6*time.Second, time.Second
	err = o.Validate()
	assert.ErrorContains(t, err, "LeaseDuration = 5s")
	assert.NotContains(t, err.Error(), "profile", "it stands for nothing")
}

func TestTheLeaseIsReleasedUnlessToldOtherwise(t *testing.T) {
	o := options.Default()
	assert.True(t, o.ReleaseOnCancel, "as docs/adopt.md recommends")
	o.ReleaseOnCancel = false
	written, err := yaml.Marshal(o)
	require.NoError(t, err)
	read := options.Default()
	require.NoError(t, yaml.UnmarshalStrict(written, &read))
	assert.False(t, read.ReleaseOnCancel, "what is switched off stays so in a file")
}

// fields iterates over the fields of a struct.
func fields(of reflect.Value) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		for i := range of.NumField() {
			if !yield(of.Type().Field(i).Name, of.Field(i)) {
				return
			}
		}
	}
}

// What an elector and a lock take is either an option or the program's to set.
func TestEveryFieldOfAnElectionIsAnOptionOrTheProgramsOwn(t *testing.T) {
	o := options.Options{LeaderElect: true, ResourceNamespace: "ns", ResourceName: "it", Mode: dialer.NewConnections, ReleaseOnCancel: true,
		StopTimeout: metav1.Duration{Duration: time.Second}, ContendAgain: true, Coordinated: true, ResourceLabels: map[string]string{"team": "a"},
		Priority: new(int), SuccessorWait: metav1.Duration{Duration: time.Second}, HandoverAfter: metav1.Duration{Duration: time.Minute}}
	election, err := o.Election()
	require.NoError(t, err)
	lock, err := o.Lock()
	require.NoError(t, err)
	programs := []string{"Lock", "Callbacks", "WatchDog", "Readiness", "Trace", "Clock", "Meter", "Witnesses", "Successor"}
	for _, of := range []any{election, lock} {
		for name, field := range fields(reflect.ValueOf(of)) {
			assert.Equal(t, slices.Contains(programs, name), field.IsZero(), "%T.%s", of, name)
		}
	}
}

func TestLabelsAreReadAsTheyAreWritten(t *testing.T) {
	o := named()
	o.ResourceLabels = map[string]string{"tier": "b", "team": "a"}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o.AddFlags(flags)
	written := flags.Lookup("leader-elect-resource-labels").Value.String()
	assert.Equal(t, "team=a,tier=b", written)
	require.NoError(t, flags.Set("leader-elect-resource-labels", ""))
	assert.Empty(t, o.ResourceLabels)
	require.NoError(t, flags.Set("leader-elect-resource-labels", written))
	assert.Equal(t, map[string]string{"tier": "b", "team": "a"}, o.ResourceLabels)
	assert.ErrorContains(t, flags.Set("leader-elect-resource-labels", "team"), `"team": must be labels`)
	assert.Equal(t, written, flags.Lookup("leader-elect-resource-labels").Value.String(), "a mistake changes nothing")
}

func TestDurationsThatAreNotSetAreTheProfiles(t *testing.T) {
	for _, c := range []struct {
		profile options.Profile
		change  func(*options.Options)
		want    string
	}{
		{"", nil, "15s 10s 2s"},
		{options.DefaultProfile, nil, "15s 10s 2s"},
		{options.FastProfile, nil, "3s 2s 500ms"},
		{options.CalmProfile, nil, "1m0s 40s 8s"},
		{options.FastProfile, func(o *options.Options) { o.LeaseDuration.Duration = 4 * time.Second }, "4s 2s 500ms"},
	} {
		o := named()
		o.Profile = c.profile
		if c.change != nil {
			c.change(&o)
		}
		config, err := o.Config(&rest.Config{Host: "https://198.18.0.1"}, me)
		require.NoError(t, err)
		assert.Equal(t, c.want, fmt.Sprint(config.LeaseDuration, config.RenewDeadline, config.RetryPeriod))
		assert.Equal(t, "kube-system/it", config.Lock.Describe())
		assert.Equal(t, "me", config.Lock.Identity())
	}
}

func TestThePodWitnessIsAddedToThoseOfTheSystem(t *testing.T) {
	names := func(o options.Options) (names []string) {
		config, err := o.Config(&rest.Config{Host: "https://198.18.0.1"}, me)
		require.NoError(t, err)
		for _, w := range config.Witnesses {
			names = append(names, w.Name())
		}
		return names
	}
	o := named()
	assert.Empty(t, names(o), "nil is those of the system")
	o.WitnessPod = true
	all := names(o)
	assert.Len(t, all, len(leaderelection.DefaultWitnesses())+1)
	assert.Contains(t, all, "pod")
}

func TestWhatCannotBeUsedIsNamed(t *testing.T) {
	for says, change := range map[string]func(*options.Options){
		`resourceName ""`:                    func(o *options.Options) { o.ResourceName = "" },
		`resourceNamespace "Kube/System"`:    func(o *options.Options) { o.ResourceNamespace = "Kube/System" },
		`resourceLock "endpoints"`:           func(o *options.Options) { o.ResourceLock = "endpoints" },
		`profile "slow"`:                     func(o *options.Options) { o.Profile = "slow" },
		"LeaseDuration = 5s":                 func(o *options.Options) { o.LeaseDuration.Duration = 5 * time.Second },
		"RetryPeriod × 1.2 = 10.8s":          func(o *options.Options) { o.RetryPeriod.Duration = 9 * time.Second },
		"stopTimeout -1s":                    func(o *options.Options) { o.StopTimeout.Duration = -time.Second },
		"resourceLabels":                     func(o *options.Options) { o.ResourceLabels = map[string]string{"a b": "c"} },
		"leaderElect is false":               func(o *options.Options) { o.LeaderElect = false },
		"must be one of default, fast, calm": func(o *options.Options) { o.Profile = "slow" },
	} {
		o := named()
		change(&o)
		_, err := o.Config(&rest.Config{Host: "https://198.18.0.1"}, me)
		assert.ErrorContains(t, err, says)
	}
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o := options.Default()
	o.AddFlags(flags)
	assert.ErrorContains(t, flags.Parse([]string{"-leader-elect-profile=slow"}), "must be one of default, fast, calm")
}

// The table of the package comment is what the rules say.
func TestTheProfilesBearWhatTheTableSays(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	text := strings.Join(strings.Fields(string(doc)), " ")
	for _, profile := range options.Profiles() {
		var c leaderelection.LeaderElectionConfig
		require.NoError(t, profile.Durations(&c))
		tol := c.Tolerance()
		row := fmt.Sprintf("%s %v %v %v %v %v %v %.3g %% %v", profile, c.LeaseDuration, c.RenewDeadline, c.RetryPeriod,
			tol.Outage, tol.Takeover, tol.WorkStop, 100*tol.ClockRate, tol.Renewals)
		t.Logf("figure: %s", row)
		assert.Contains(t, text, row)
	}
}
