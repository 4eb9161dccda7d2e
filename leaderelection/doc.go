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
//   - If the outcome of a renewal is unknown, the leader reads the record to learn
//     it. It never guesses.
//
// # Limits
//
// A term is a promise about time. It holds as long as the clocks of any two
// contenders do not differ in rate by more than LeaseDuration − T over a
// LeaseDuration, with T = max(D, min(D+R, L−R)); see [LeaderElectionConfig].
// Clock skew, however large, does not matter: no contender compares its clock
// with another's. Work that ignores the end of its context, or takes longer to
// stop than StopTimeout, can go on past the end of the term. A request that was
// sent before the end can be executed after it. Where that matters, pass on the
// fencing token ([Term.FencingToken]) and have the receiver refuse older ones.
//
// When the Lease is deleted by hand, the term of its leader ends at its next
// renewal or before. Candidates that knew of the Lease wait for a whole lease after
// they learn of the deletion. A contender that is started in that time finds no
// Lease, cannot know that there was one, and leads at once. The same holds for a
// candidate that was cut off while the Lease was created again and deleted again.
//
// # Mixed fleets
//
// Contenders of this package and of client-go may share one Lease, as during a
// rollout. A contender of this package never takes the lease before it has seen the
// record unchanged for that record's whole lease, and it stops leading a margin
// before anyone else may take its lease. So it never causes an overlap. client-go's
// elector can cause one. It releases while its work may still be stopping. It counts
// a renewal from the answer and not from the sending. And it compares records in
// whole seconds: with a RetryPeriod below one second it may take over up to a second
// before the lease has ended, from anyone. So in a mixed fleet keep RetryPeriod at
// one second or more, and leave ReleaseOnCancel off on client-go's side where its
// work stops slowly. If you must keep client-go's elector, use this library's lock:
// it shows records to the microsecond, which corrects the comparison.
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
