package resourcelock

import (
	upstream "k8s.io/client-go/tools/leaderelection/resourcelock"
)

// What is contract or plain data upstream is the same type here, so that locks,
// records and recorders pass freely between this library, client-go and
// controller-runtime.
type (
	// LeaderElectionRecord is what a lock stores: who holds the lease, since
	// when, and how long after its last renewal it ends.
	LeaderElectionRecord = upstream.LeaderElectionRecord

	// Interface is a lock as client-go's elector and this library's use it.
	Interface = upstream.Interface

	// EventRecorder records the events of a lock.
	EventRecorder = upstream.EventRecorder

	// ResourceLockConfig is what all locks have in common: the identity that
	// holds the lease, which must be unique among all contenders, and an
	// optional EventRecorder.
	ResourceLockConfig = upstream.ResourceLockConfig
)

const (
	// LeaderElectionRecordAnnotationKey is the annotation that stored the record
	// before the Lease API existed. Nothing here reads or writes it.
	LeaderElectionRecordAnnotationKey = upstream.LeaderElectionRecordAnnotationKey

	// LeasesResourceLock is the only lock type there is.
	LeasesResourceLock = upstream.LeasesResourceLock
)
