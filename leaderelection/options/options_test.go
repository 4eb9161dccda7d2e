package options_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/options"
)

var (
	_ options.FlagSet = (*flag.FlagSet)(nil)
	_ options.FlagSet = (*pflag.FlagSet)(nil)
)

func named() options.Options {
	o := options.Default()
	o.ResourceNamespace, o.ResourceName = "kube-system", "it"
	return o
}

func TestEveryOptionIsAFlag(t *testing.T) {
	args := strings.Fields("--leader-elect=true --leader-elect-profile=calm --leader-elect-lease-duration=30s --leader-elect-renew-deadline=20s " +
		"--leader-elect-retry-period=3s --leader-elect-resource-lock=leases --leader-elect-resource-name=it --leader-elect-resource-namespace=ns " +
		"--leader-elect-mode=fresh --leader-elect-release-on-cancel --leader-elect-stop-timeout=5s --leader-elect-contend-again")
	var want options.Options
	require.NoError(t, yaml.UnmarshalStrict([]byte(`{leaderElect: true, profile: calm, leaseDuration: 30s, renewDeadline: 20s, retryPeriod: 3s,
		resourceLock: leases, resourceName: it, resourceNamespace: ns, mode: fresh, releaseOnCancel: true, stopTimeout: 5s, contendAgain: true}`), &want))

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
		config, err := o.Config(&rest.Config{Host: "https://198.18.0.1"}, "me")
		require.NoError(t, err)
		assert.Equal(t, c.want, fmt.Sprint(config.LeaseDuration, config.RenewDeadline, config.RetryPeriod))
		assert.Equal(t, "kube-system/it", config.Lock.Describe())
		assert.Equal(t, "me", config.Lock.Identity())
	}
}

func TestWhatCannotBeUsedIsNamed(t *testing.T) {
	for says, change := range map[string]func(*options.Options){
		`resourceName ""`:                    func(o *options.Options) { o.ResourceName = "" },
		`resourceNamespace "Kube/System"`:    func(o *options.Options) { o.ResourceNamespace = "Kube/System" },
		`resourceLock "endpoints"`:           func(o *options.Options) { o.ResourceLock = "endpoints" },
		`profile "slow"`:                     func(o *options.Options) { o.Profile = "slow" },
		"LeaseDuration = 5s":                 func(o *options.Options) { o.LeaseDuration.Duration = 5 * time.Second },
		"RetryPeriod = 10s":                  func(o *options.Options) { o.RetryPeriod.Duration = 10 * time.Second },
		"leaderElect is false":               func(o *options.Options) { o.LeaderElect = false },
		"must be one of default, fast, calm": func(o *options.Options) { o.Profile = "slow" },
	} {
		o := named()
		change(&o)
		_, err := o.Config(&rest.Config{Host: "https://198.18.0.1"}, "me")
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
		assert.Contains(t, text, row)
	}
}

func ExampleOptions() {
	o := options.Default()
	o.ResourceNamespace, o.ResourceName = "kube-system", "my-controller"
	flags := flag.NewFlagSet("my-controller", flag.ContinueOnError)
	o.AddFlags(flags)
	if err := flags.Parse([]string{"-leader-elect-profile=fast", "-leader-elect-mode=fresh"}); err != nil {
		fmt.Println(err)
		return
	}
	config, err := o.Config(&rest.Config{Host: "https://198.18.0.1"}, "pod-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	config.Callbacks = leaderelection.LeaderCallbacks{
		OnStartedLeading: func(ctx context.Context) { <-ctx.Done() },
		OnStoppedLeading: func() {},
	}
	fmt.Println(config.LeaseDuration, o.Mode == dialer.Fresh, config.Tolerance().Outage)
	// Output: 3s true 2s
}
