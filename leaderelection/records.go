package leaderelection

import (
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// claim returns the record with which identity takes the lease over from base.
// The digits of its acquire time below a millisecond are random (0 ≤ random < 1):
// two processes of one identity may claim at what is one moment on their clocks,
// and a lock that keeps no marks must tell their records apart.
func claim(identity string, base rl.Snapshot, lease time.Duration, now time.Time, random float64) rl.LeaderElectionRecord {
	at := metav1.NewTime(now.Truncate(time.Microsecond))
	digits := time.Duration(random * float64(time.Millisecond))
	record := rl.LeaderElectionRecord{
		HolderIdentity:       identity,
		LeaseDurationSeconds: rl.WholeSeconds(lease),
		AcquireTime:          metav1.NewTime(at.Truncate(time.Millisecond).Add(digits.Truncate(time.Microsecond))),
		RenewTime:            at,
	}
	if base.Exists() {
		// The API takes no more than an int32, and nothing negative.
		record.LeaderTransitions = max(0, min(base.Record.LeaderTransitions, math.MaxInt32-1)) + 1
	}
	return record
}

// renewal returns the record that renews own, the record with which the term
// began, over what stands there: an edit by hand is undone, and what is the API
// server's to decide is kept.
func renewal(own, stands rl.LeaderElectionRecord, lease time.Duration, now time.Time) rl.LeaderElectionRecord {
	own.LeaseDurationSeconds = rl.WholeSeconds(lease)
	own.RenewTime = metav1.NewTime(now.Truncate(time.Microsecond))
	own.Strategy, own.PreferredHolder = stands.Strategy, stands.PreferredHolder
	return own
}

// release returns the record that gives held up. It says one second for peers
// that have no place for zero, and is free for all at once.
func release(held rl.LeaderElectionRecord, now time.Time) rl.LeaderElectionRecord {
	at := metav1.NewTime(now.Truncate(time.Microsecond))
	return rl.LeaderElectionRecord{
		LeaseDurationSeconds: 1,
		AcquireTime:          at,
		RenewTime:            at,
		LeaderTransitions:    held.LeaderTransitions,
	}
}
