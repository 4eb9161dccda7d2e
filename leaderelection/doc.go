// Package leaderelection elects one leader among contenders for a lease.
//
// It replaces k8s.io/client-go/tools/leaderelection by a change of import path,
// speaks the same Lease objects, and may contend against client-go's elector.
//
// # Promise
//
// No leader outlives its lease, and no lease outlives its leader by more than
// it must:
//
//   - A term ends on a timer of its own, counted from the moment before the last
//     successful renewal was sent. No request has to return first, and the
//     work's context is cancelled before anything else happens.
//   - A candidate takes over at the moment at which it has seen the same record
//     unchanged for the whole lease, on a timer set for that moment; where it may
//     watch the Lease, it learns of renewals and of a release at once.
//   - A renewal whose outcome is unknown is settled by reading the record, never
//     guessed.
//
// # Limits
//
// A term is a promise about time. It holds as long as the clocks of any two
// contenders do not differ in rate by more than LeaseDuration − T over a
// LeaseDuration, with T = max(D, min(D+R, L−R)); see [LeaderElectionConfig].
// Clock skew, however large, does not matter: no contender compares its clock
// with another's. Work that ignores the end of its context, or takes longer to
// stop than StopTimeout, can go on past the end of the term; so can a request
// that was sent before it and is executed after it. Where that matters, pass on
// the fencing token ([Term.FencingToken]) and have the receiver refuse older
// ones.
//
// Deleting the Lease by hand ends the term of its leader no later than at its
// next renewal. Candidates that knew of the Lease wait a whole lease from when
// they learn of the deletion. A contender started in that time finds no Lease
// and cannot know that there was one; nor can a candidate that was cut off while
// the Lease was created anew and deleted again.
//
// # Mixed fleets
//
// A contender may have client-go's electors for peers, as during a rollout. It
// never writes before it has seen a peer's record unchanged for that record's
// whole lease, and gives up its own a margin before a peer may take it, so it
// adds no overlap of its own. It cannot close a peer's holes: client-go's
// elector releases while its work may still be winding down, counts a renewal
// from its answer rather than from when it was sent, and compares records in
// whole seconds, so that with a RetryPeriod below one second it may take over up
// to a second before the lease has ended, from anyone. So in a mixed fleet keep
// RetryPeriod at one second or more, and leave ReleaseOnCancel off on
// client-go's side where its work stops slowly. Where its elector is all you can
// have (controller-runtime), this library's lock mends the comparison: it shows
// records to the microsecond.
//
// # Use
//
//	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock,
//		"default", "my-controller", resourcelock.ResourceLockConfig{Identity: id},
//		config, 10*time.Second)
//	...
//	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
//		Lock:            lock,
//		LeaseDuration:   15 * time.Second,
//		RenewDeadline:   10 * time.Second,
//		RetryPeriod:     2 * time.Second,
//		ReleaseOnCancel: true,
//		Callbacks: leaderelection.LeaderCallbacks{
//			OnStartedLeading: func(ctx context.Context) { work(ctx) },
//			OnStoppedLeading: func() { os.Exit(0) },
//		},
//	})
package leaderelection
