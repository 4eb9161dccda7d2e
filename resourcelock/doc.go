// Package resourcelock is the lock of a leader election: a Kubernetes Lease,
// read, written and watched through a client that no dead connection can hold
// up.
//
// It replaces k8s.io/client-go/tools/leaderelection/resourcelock by a change of
// import path. What is contract there is the same type here (Interface,
// LeaderElectionRecord, ResourceLockConfig, EventRecorder), so a lock of this
// package serves client-go's elector and controller-runtime too, and a lock of
// theirs serves the elector of this library.
//
// # Promise
//
// No request waits for a dead connection or server beyond its bound. A lock made by
// [NewFromKubeconfig] or [NewFromKubeconfigWithOptions] has a transport of its own
// (package dialer): each call returns one answer or one error within its bound, a request that
// is slow is repeated on a new connection before it fails, and a connection that
// failed is not used again. The bound is that of the whole call (the wait for other
// locks' requests, every redirect and retry, the whole answer). It holds for every
// caller, which matters because client-go's and controller-runtime's electors set no
// bound themselves. A write that was sent twice counts as one: if the second is
// refused because the first has succeeded, the call reports success.
//
// # Limits
//
// A [LeaseLock] built around a client of your own works, but keeps only what
// that client promises: harden its rest.Config with dialer.Harden first. The
// elector says once in its log what such a lock lacks.
package resourcelock
