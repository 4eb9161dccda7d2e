package resourcelock

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// Snapshot is a Lease as the API held it at one moment.
//
// The zero Snapshot stands for a Lease that does not exist. Snapshots are
// values: they are never changed after they were handed out and may be shared
// between goroutines.
type Snapshot struct {
	// Record is the Lease's spec in the words of leader election.
	Record LeaderElectionRecord
	// Duration is the record's lease: what its writer has stated where the
	// statement describes this record, else Record.LeaseDurationSeconds. Zero or
	// negative means that the record names no usable duration.
	Duration time.Duration
	// Stated is what the last writer that states anything has stated of its own
	// write, which need not be the last one that has written.
	Stated Statement
	// Wished is the wish that stands in the Lease, whatever it is about; Wish tells
	// whether that is the present term.
	Wished Wish
	// ResourceVersion identifies this state of the Lease. It is empty for a Lease
	// that does not exist, and for one of an API that keeps none, which client-go's
	// fake clientset is. Since Kubernetes 1.35 resource versions are documented as
	// comparable integers.
	ResourceVersion string

	// lease is what was read, so that a write based on this Snapshot keeps
	// every label and annotation of others.
	lease *coordinationv1.Lease
}

// Exists reports whether the Lease was there.
func (s Snapshot) Exists() bool { return s.lease != nil || s.ResourceVersion != "" }

// Versioned is a lock whose reads and writes name the state they speak of. The
// elector uses it where the lock offers it, and falls back to Interface where
// it does not; LeaseLock implements both.
//
// A Versioned lock is safe for concurrent use and keeps no state between
// calls: what a write is based on is an argument.
type Versioned interface {
	Interface

	// Read returns the Lease as it is now, by a read that no cache may answer.
	// A Lease that does not exist is the zero Snapshot and no error.
	Read(ctx context.Context) (Snapshot, error)

	// Write replaces the state base by the entry next, or creates the Lease when
	// base does not exist. It returns what stands there now, which others
	// (admission) may have changed on its way. That the API answers is not enough: what
	// it shows must be what was written. An error for which apierrors.IsConflict or
	// apierrors.IsAlreadyExists is true says that base is not the current state;
	// any other error may leave the outcome unknown.
	Write(ctx context.Context, base Snapshot, next Entry) (Snapshot, error)

	// Watch calls seen for every state of the Lease that follows from, in order,
	// the zero Snapshot standing for its deletion. It returns when ctx is done
	// or the watch ends, with the reason: nil when the server ended the watch
	// in good order, an error when it did not accept the watch in time, an error
	// for which apierrors.IsForbidden is true when the
	// caller may not watch. seen is called by one goroutine at a time, and no
	// more after Watch has returned.
	Watch(ctx context.Context, from Snapshot, seen func(Snapshot)) error
}
