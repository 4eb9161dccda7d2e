// Package holdfastctrl is a controller-runtime manager whose leader-elected part
// runs under Holdfast's elector, where controller-runtime itself always runs
// client-go's.
//
//	mgr, err := holdfastctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{LeaderElection: true, ...}) // was ctrl.NewManager
//	err = ctrl.NewControllerManagedBy(mgr).For(&corev1.ConfigMap{}).Complete(r)
//	err = mgr.Start(ctrl.SetupSignalHandler())
//
// Only that line changes: the configuration is the one that ctrl.GetConfig returns,
// and the options are those of controller-runtime. Set LeaderElectionReleaseOnCancel:
// without it a standby waits for the whole lease at every rollout.
//
// # Promise
//
//   - What needs leader election (controllers, unless they say otherwise, and
//     every Runnable that does not say NeedLeaderElection() == false) runs only
//     during a term of Holdfast's: its context ends on a timer, before another
//     process can hold the lease, whatever the network does.
//   - Everything else (caches, webhooks, probes, metrics) runs from the start, on
//     standbys too, as it does under manager.Manager.
//   - A standby is warm before it contends: the sources of its controllers have
//     started, their caches are filled, and their queues hold what there is to
//     do. So its reconcilers begin when the term does.
//   - The lease is released only when all leader-elected Runnables have returned.
//   - leaderelection.TermFromContext finds the term, with its fencing token, in the
//     context of Reconcile. context.Cause of that context says why the term ended.
//
// # What it sets up
//
// Each of these can be switched off with Without:
//
//   - FeatureTraffic: connections of the manager's caches and clients that go
//     silent are dropped within RenewDeadline.
//   - FeatureMetrics: the metrics of package holdfastprom, in controller-runtime's
//     registry.
//   - FeatureMasterStatus: leader_election_master_status, with the name, label and
//     meaning that it has under controller-runtime.
//   - FeatureHealthz: the health check leaderElection.
//   - FeatureReadyz: the readiness check leaderElectionTerm.
//
// # Limits
//
// A Manager leads at most once, because a controller cannot be started twice. When
// the term is lost, Start returns an error that wraps *leaderelection.TermEndedError,
// and the process should exit, as under controller-runtime. If work still runs when
// the lease is over, Start returns at once, without the graceful shutdown, and its
// error names the Runnables that still run; exit then too.
//
// A controller with EnableWarmup set to false is not warm on a standby. The others
// queue an item for each object that they see, so workqueue_depth of a standby is not
// zero.
//
// The process needs the verbs get, create, update and watch on the Lease, and create
// and patch on events.
package holdfastctrl
