package options_test

import (
	"context"
	"flag"
	"fmt"

	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/leaderelection"
	"github.com/holdfast-go/holdfast/leaderelection/options"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// A program's flags, and the election they ask for.
func ExampleDefault() {
	o := options.Default()
	o.ResourceNamespace, o.ResourceName = "kube-system", "my-controller"
	flags := flag.NewFlagSet("my-controller", flag.ContinueOnError)
	o.AddFlags(flags) // a *pflag.FlagSet will do as well
	if err := flags.Parse([]string{"-leader-elect-profile=fast", "-leader-elect-retry-period=400ms"}); err != nil {
		fmt.Println(err)
		return
	}
	config := &rest.Config{Host: "https://192.0.2.1"} // as rest.InClusterConfig returns it
	election, err := o.Config(config, resourcelock.ResourceLockConfig{Identity: "pod-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	election.Callbacks = leaderelection.LeaderCallbacks{
		OnStartedLeading: func(term context.Context) { <-term.Done() },
		OnStoppedLeading: func() {},
	}
	fmt.Println(election.Lock.Describe(), "as", election.Lock.Identity())
	fmt.Println(election.LeaseDuration, election.RenewDeadline, election.RetryPeriod)
	// Output:
	// kube-system/my-controller as pod-1
	// 3s 2s 400ms
}

// What the profiles bear.
func ExampleProfiles() {
	for _, profile := range options.Profiles() {
		var election leaderelection.LeaderElectionConfig
		if err := profile.Durations(&election); err != nil {
			fmt.Println(err)
			return
		}
		bears := election.Tolerance()
		fmt.Printf("%s: an outage of %v, a takeover within %v, work that stops within %v\n", profile, bears.Outage, bears.Takeover, bears.WorkStop)
	}
	// Output:
	// default: an outage of 8s, a takeover within 15s, work that stops within 3s
	// fast: an outage of 1.5s, a takeover within 3s, work that stops within 500ms
	// calm: an outage of 32s, a takeover within 1m0s, work that stops within 12s
}

// The lock made by hand, to count what becomes of its connections.
func ExampleOptions_Lock() {
	o := options.Options{LeaderElect: true, Profile: options.CalmProfile, ResourceNamespace: "kube-system", ResourceName: "my-controller"}
	election, err := o.Election()
	if err != nil {
		fmt.Println(err)
		return
	}
	lock, err := o.Lock()
	if err != nil {
		fmt.Println(err)
		return
	}
	var meter dialer.Meter
	lock.Meter = &meter
	config := &rest.Config{Host: "https://192.0.2.1"}
	election.Lock, err = resourcelock.NewFromKubeconfigWithOptions(resourcelock.LeasesResourceLock, o.ResourceNamespace, o.ResourceName,
		resourcelock.ResourceLockConfig{Identity: "pod-1"}, config, lock)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(election.Lock.Describe(), "with a lease of", election.LeaseDuration, "and", meter.Stats().Opened, "connections so far")
	// Output: kube-system/my-controller with a lease of 1m0s and 0 connections so far
}
