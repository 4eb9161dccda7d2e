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
// No request waits on the dead. A lock made by [NewFromKubeconfig] or
// [NewFromKubeconfigWithOptions] has a transport of its own (package dialer):
// each call returns one answer or one error within its bound, a request that
// is slow is repeated on a new connection before it fails, and nothing that
// failed is used again. The bound is that of the whole call (the wait for other
// locks' requests, every redirect and retry, the whole answer), and it holds for
// every caller: client-go's elector and controller-runtime's set none themselves.
// A write that was repeated is one write: what its own repetition did is success.
//
// # Limits
//
// A [LeaseLock] built around a client of your own works, but keeps only what
// that client promises: harden its rest.Config with dialer.Harden first. The
// elector says once in its log what such a lock lacks.
package resourcelock
