package leaderelection

import (
	"math"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// This file is what a candidate makes of the states it is shown: no clock, no
// lock, no goroutine.

// observation is what a candidate knows of the lease: its state, and since when
// it has seen the write that the state shows. The zero observation knows
// nothing; one that is not known but names a holder knows only that there was
// one.
type observation struct {
	known    bool
	snapshot rl.Snapshot
	// seen is when the write that snapshot shows was seen first, and lease for how
	// long after that it holds the lease. Whatever is edited by hand later moves
	// neither.
	seen  instant
	lease time.Duration
	// still is for how long after seen somebody may hold the lease whom the record
	// does not name, since it was taken from him by hand: emptied, renamed,
	// deleted, or restored from a backup.
	still time.Duration
	// earlier is for how long after seen somebody may hold the lease who was seen to
	// hold it earlier, and whom the record does not follow on. It is nothing to whoever
	// waits for the lease that the record speaks of, and all that is left where its
	// holder is proven dead: an old record that was put back by hand is the holder's own.
	earlier time.Duration
}

// next returns the observation after a watch has delivered state at the moment
// at, and whether it says anything new. A state older than the one known (a
// watch that lags behind a read) says nothing.
func (o observation) next(state rl.Snapshot, at instant, t timing) (observation, bool) {
	if o.known && older(state, o.snapshot) {
		return o, false
	}
	return o.after(state, at, t)
}

// after returns the observation after state was found, at the moment at, to be
// the present one, whatever was seen before, and whether it says anything new. One
// that is older than what was seen comes from a backup, and others may have led
// before that was restored.
func (o observation) after(state rl.Snapshot, at instant, t timing) (observation, bool) {
	if o.known && oneWrite(o.snapshot, state) && !older(state, o.snapshot) {
		changed := !sameRecord(o.snapshot, state)
		o.snapshot = state
		return o, changed
	}
	next := observation{known: true, snapshot: state, seen: at, lease: t.heldFor(state)}
	switch {
	case !state.Exists():
		if o.snapshot.Exists() || o.snapshot.Record.HolderIdentity != "" {
			// Somebody may have taken it after it was last seen.
			next.still = max(t.lease, o.lease)
		} else {
			next.still = max(0, o.claimableAfter()-at.monoSince(o.seen)) // it was gone before
		}
	case older(state, o.snapshot): // from a backup: whoever led before it was restored may not have heard
		next.still = max(t.lease, o.lease)
	case o.known && !succeeds(o.snapshot, state):
		next.still = max(0, o.claimableAfter()-at.monoSince(o.seen))
	}
	if o.earlier > 0 {
		next.earlier = max(0, o.earlier-at.monoSince(o.seen))
	}
	if o.known && !follows(o.snapshot.Record, state.Record) {
		next.earlier = max(next.earlier, o.claimableAfter()-at.monoSince(o.seen))
	}
	return next, true
}

// follows reports whether now is a record that a contender leaves on before: a renewal
// of the same term, or the next term.
func follows(before, now rl.LeaderElectionRecord) bool {
	renewed := before.HolderIdentity == now.HolderIdentity && sameMicro(before.AcquireTime, now.AcquireTime)
	return renewed || now.LeaderTransitions > before.LeaderTransitions
}

// memory returns what is left of an observation for a later campaign: which version
// was seen last, that there was this holder, and for how long the lease may still
// be held by someone whom no record names, or whom the next one does not follow on.
func (o observation) memory(holder string) observation {
	o.known, o.earlier = false, max(o.earlier, o.claimableAfter())
	o.snapshot = rl.Snapshot{Record: rl.LeaderElectionRecord{HolderIdentity: holder}, ResourceVersion: o.snapshot.ResourceVersion}
	return o
}

// anew returns an observation that counts from at: nothing can be said of the
// time before.
func (o observation) anew(at instant) observation {
	o.seen = at
	return o
}

// claimableAfter returns how long after seen a candidate may write: rules 4 and 11 of the
// design.
func (o observation) claimableAfter() time.Duration { return max(o.lease, o.still) }

// oneWrite reports whether two states show one and the same write of a holder's,
// whatever was edited by hand in between. The mark of a write tells: where it has
// changed there was another write, whatever admission made of its times. Where
// there is none, the holder and the times do; of a record that was emptied, the
// times.
func oneWrite(before, now rl.Snapshot) bool {
	switch {
	case before.Exists() != now.Exists() || marksDiffer(before, now):
		return false
	case markOf(before) != "" && markOf(now) != "":
		return true
	}
	holder := now.Record.HolderIdentity
	return (holder == before.Record.HolderIdentity || holder == "") && sameMoment(before.Record, now.Record)
}

// marksDiffer reports whether the later of two states bears a mark that the earlier
// one did not. No edit by hand makes a mark, though one may take it away: a holder
// who marks his writes has written in between.
func marksDiffer(before, now rl.Snapshot) bool {
	return now.Stated.Mark != "" && now.Stated.Mark != before.Stated.Mark
}

// markOf returns the mark of the write that a state shows, empty where its
// writer has marked nothing. An edit that empties the holder, or all of the
// record, leaves the write what it is; one that names another holder makes
// something else of it.
func markOf(state rl.Snapshot) string {
	record, stated := state.Record, state.Stated
	cleared := record.HolderIdentity == "" && record.RenewTime.IsZero()
	switch {
	case record.HolderIdentity != "" && record.HolderIdentity != stated.Holder:
		return ""
	case !cleared && !sameMicro(metav1.NewTime(stated.RenewTime), record.RenewTime):
		return ""
	}
	return stated.Mark
}

// emptied reports whether the holder was taken out of a record by hand, as far
// as the record itself tells.
func emptied(state rl.Snapshot) bool {
	record, stated := state.Record, state.Stated
	switch {
	case record.HolderIdentity != "":
		return false
	case markOf(state) != "":
		return stated.Holder != "" // its last writer says that he holds the lease
	case record.RenewTime.IsZero() && record.AcquireTime.IsZero():
		return record.LeaderTransitions > 0 // else it was never held, for all it says
	default:
		return record.LeaseDurationSeconds > 1 // a release says one second
	}
}

// succeeds reports whether now is what a contender's write on a later state than
// before leaves: a claim, a renewal or a release, which all move the renew time.
// An edit by hand does not.
func succeeds(before, now rl.Snapshot) bool {
	switch {
	case markOf(now) != "" || marksDiffer(before, now):
		return now.Stated.Holder == now.Record.HolderIdentity
	case now.Record.RenewTime.IsZero():
		return false
	case sameMoment(before.Record, now.Record):
		return false
	}
	return now.Record.HolderIdentity != "" || !emptied(now)
}

// heldFor returns for how long a candidate must have seen the write that a state
// shows: zero for a record that is free.
func (t timing) heldFor(state rl.Snapshot) time.Duration {
	lease := state.Duration
	if markOf(state) != "" && state.Stated.Duration > 0 {
		lease = state.Stated.Duration
	} else if state.Record.LeaseDurationSeconds > math.MaxInt32 {
		lease = longestLease // beyond what can be counted, whatever was made of it
	}
	if holder := state.Record.HolderIdentity; holder != "" && strings.EqualFold(holder, state.Stated.Holder) {
		// The times were edited by hand or by admission, or a peer of this name has
		// left the statement in place: it may still be the holder's word.
		lease = max(lease, state.Stated.Duration)
	}
	switch {
	case !state.Exists():
		return 0
	case state.Record.HolderIdentity == "" && !emptied(state):
		return 0
	}
	return t.takeoverAfter(lease)
}

// succession says what a claim follows on that is based on a state.
func succession(on rl.Snapshot) Succession {
	switch {
	case !on.Exists():
		return SuccessionNewLease
	case on.Record.HolderIdentity == "" && !emptied(on):
		return SuccessionHandover
	default:
		return SuccessionTakeover
	}
}

// unchanged reports whether two states are one: the same version or, where a lock or
// an API keeps none (client-go's fake clientset), nothing else that is said.
func unchanged(a, b rl.Snapshot) bool {
	if a.ResourceVersion == "" && b.ResourceVersion == "" {
		return sameRecord(a, b) && a.Stated.Mark == b.Stated.Mark
	}
	return a.ResourceVersion == b.ResourceVersion
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

// sameMoment reports whether two records were renewed at the same moment. Where
// they carry whole seconds only, they must have been acquired at the same one,
// too, if at any: a second is time enough for two terms.
func sameMoment(a, b rl.LeaderElectionRecord) bool {
	fine := b.RenewTime.Nanosecond() != 0 || b.AcquireTime.IsZero()
	return sameMicro(a.RenewTime, b.RenewTime) && (fine || sameMicro(a.AcquireTime, b.AcquireTime))
}

// sameMicro compares two times to the microsecond, as the Lease API keeps them.
func sameMicro(a, b metav1.Time) bool {
	return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond))
}

// older reports whether a is a state before b. It is false where resource
// versions cannot be compared: those of locks that have none, and that of a
// Lease which is not there.
func older(a, b rl.Snapshot) bool {
	av, errA := strconv.ParseUint(a.ResourceVersion, 10, 64)
	bv, errB := strconv.ParseUint(b.ResourceVersion, 10, 64)
	return errA == nil && errB == nil && av < bv
}
