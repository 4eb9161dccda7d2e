// Package options is leader election as users configure it: flags, a
// configuration file, and profiles for those who do not want to choose three
// durations.
//
// The fields are those of LeaderElectionConfiguration in
// k8s.io/component-base/config/v1alpha1 and the flags those of its package
// options (--leader-elect, --leader-elect-lease-duration and so on), so that
// existing manifests keep working. This library adds some of its own. What the
// program decides and not its user (callbacks, health checks, traces, meters, the
// clock) is set in the configuration that Config returns. Nothing is read from the
// environment.
//
//	o := options.Default()
//	o.ResourceNamespace, o.ResourceName = "kube-system", "my-controller"
//	o.AddFlags(flag.CommandLine) // or a *pflag.FlagSet
//	flag.Parse()
//	election, err := o.Config(config, resourcelock.ResourceLockConfig{Identity: identity}) // config is a *rest.Config
//	...
//	election.Callbacks = leaderelection.LeaderCallbacks{...}
//	leaderelection.RunOrDie(ctx, election)
//
// # Profiles
//
// A profile stands for the durations that are not set. What each bears follows
// from them (leaderelection.Tolerance), and is printed by
//
//	go test ./leaderelection/options -run TestTheProfiles -v
//
//	profile   lease  deadline  retry   outage   takeover  work stops  clock rates   renewals
//	                                   survived within    within      differ by     a minute
//	default   15s    10s       2s      8s       15s       3s          20 %          30
//	fast      3s     2s        500ms   1.5s     3s        500ms       16.7 %        120
//	calm      1m0s   40s       8s      32s      1m0s      12s         20 %          7.5
//
// The columns: for how long all API servers may be out of reach without the leader
// losing its lease; the time from the last renewal of a leader that died to the next
// leader; how long work may take to stop after a lost term; by how much the rates of
// two clocks may differ; how many requests a leader sends.
package options
