package leaderelection

import (
	"strconv"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// observation is what a candidate knows of the lease: the record, and since
// when it has seen it unchanged. The zero observation knows nothing; one that
// is not known but names a holder knows only that there was one.
type observation struct {
	known    bool
	snapshot rl.Snapshot
	// seen is when this record was seen first.
	seen instant
	// vanished is the lease that a Lease which is gone may have been held for,
	// also by someone who took it after it was last seen; zero for a Lease that
	// was never seen.
	vanished time.Duration
}

// next returns the observation after state was seen at the moment at, and
// whether the record is another than before. A state older than the one known
// (a watch that lags behind a read) changes nothing. Nor does an edit that
// leaves the record alone, but for what the next write is based on.
func (o observation) next(state rl.Snapshot, at instant, t timing) (observation, bool) {
	if o.known && older(state, o.snapshot) {
		return o, false
	}
	if o.known && sameRecord(o.snapshot, state) {
		o.snapshot = state
		return o, false
	}
	next := observation{known: true, snapshot: state, seen: at}
	if !state.Exists() && (o.snapshot.Exists() || o.snapshot.Record.HolderIdentity != "") {
		next.vanished = max(t.lease, o.snapshot.Duration)
	}
	return next, true
}

// opens returns how long after seen a candidate may write: rule 4 of the design.
func (o observation) opens(t timing) time.Duration {
	switch {
	case !o.snapshot.Exists():
		return o.vanished
	case o.snapshot.Record.HolderIdentity == "":
		return 0
	default:
		return t.takeoverAfter(o.snapshot.Duration)
	}
}

// succession says what a claim follows on that is based on a state.
func succession(on rl.Snapshot) Succession {
	switch {
	case !on.Exists():
		return Founding
	case on.Record.HolderIdentity == "":
		return Handover
	default:
		return Takeover
	}
}

// sameRecord compares what two states say, not their resource versions.
func sameRecord(a, b rl.Snapshot) bool {
	return a.Exists() == b.Exists() &&
		a.Duration == b.Duration &&
		a.Record.HolderIdentity == b.Record.HolderIdentity &&
		a.Record.LeaseDurationSeconds == b.Record.LeaseDurationSeconds &&
		a.Record.LeaderTransitions == b.Record.LeaderTransitions &&
		a.Record.Strategy == b.Record.Strategy &&
		a.Record.PreferredHolder == b.Record.PreferredHolder &&
		a.Record.AcquireTime.Equal(&b.Record.AcquireTime) &&
		a.Record.RenewTime.Equal(&b.Record.RenewTime)
}

// older reports whether a is a state before b. It is false where resource
// versions cannot be compared: those of locks that have none, and that of a
// Lease which is not there.
func older(a, b rl.Snapshot) bool {
	av, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	bv, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return errA == nil && errB == nil && av < bv
}
