package leaderelection

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// whose says whose write a state of the Lease is.
type whose int

const (
	// nobodys: there is no Lease.
	nobodys whose = iota
	// ours: a write of this elector that is remembered.
	ours
	// oursOnce: a write of this elector that is not remembered any more.
	oursOnce
	// imposters: our identity, and a write that this elector has not sent.
	imposters
	// others: another holder, or none.
	others
)

// writer is what is known of who sends writes: the process, by the part that
// all of its marks begin with, and the identity that it writes under.
type writer struct{ process, identity string }

// sentWrite is a write that this elector has sent.
type sentWrite struct {
	mark string
	sent instant
	// record is the record as it was sent or, once known says that the write has
	// succeeded, as it was stored, which admission may have changed.
	record rl.LeaderElectionRecord
	known  bool
	// version is the one that it was known at first; empty once it was seen at another.
	version string
	// term counts the campaigns of the elector: the one that this is a write of.
	term uint64
}

// judge returns whose write a state is, and the write itself where that is one
// of writes. Of two writes that cannot be told apart (a lock may store whole
// seconds only) it is the earlier.
//
// A lock that keeps marks tells by the mark. It stays where it is when someone
// else writes who does not know it, or edits the Lease by hand; then holder and
// renew time decide. They are compared with what was stored, where that has been
// seen: admission may change them, and whoever writes after that changes them
// again. Where no mark is kept, the times must do.
func (w writer) judge(state rl.Snapshot, writes []sentWrite) (whose, sentWrite) {
	stated := state.Stated
	process, _, _ := strings.Cut(stated.Mark, ".")
	switch {
	case !state.Exists():
		return nobodys, sentWrite{}
	case stated.Mark != "" && process == w.process:
		for _, write := range writes {
			if write.mark != stated.Mark {
				continue
			}
			if write.stands(state, w.named(state, writes)) {
				return ours, write
			}
			break
		}
		if stated.Describes(state.Record) {
			return oursOnce, sentWrite{}
		}
	case stated.Mark != "" && stated.Describes(state.Record):
		// another process's write
	default:
		for _, write := range writes {
			if write.sameTimes(state.Record) {
				return ours, write
			}
		}
	}
	if w.named(state, writes) {
		return imposters, sentWrite{}
	}
	return others, sentWrite{}
}

// named reports whether a state names our identity, be it in the form that the
// API has stored it in before.
func (w writer) named(state rl.Snapshot, writes []sentWrite) bool {
	holder := state.Record.HolderIdentity
	return holder == w.identity || slices.ContainsFunc(writes, func(write sentWrite) bool {
		return write.known && holder == write.record.HolderIdentity
	})
}

// storedAs is the write, known to have succeeded and to have left state behind.
func (s sentWrite) storedAs(state rl.Snapshot) sentWrite {
	s.record, s.version, s.known = state.Record, state.ResourceVersion, true
	return s
}

// stands reports whether the state that bears the mark of a write is what that
// write left behind; named is that it names our identity.
func (s sentWrite) stands(state rl.Snapshot, named bool) bool {
	holder, renewTime := state.Record.HolderIdentity, state.Record.RenewTime
	if s.known {
		return holder == s.record.HolderIdentity && sameTime(s.record.RenewTime, renewTime)
	}
	// How it is stored is seen for the first time: admission may have changed the
	// renew time, or the case of the identity.
	return named || strings.EqualFold(holder, s.record.HolderIdentity) && sameTime(s.record.RenewTime, renewTime)
}

// sameTimes reports whether a record without a mark is that of the write, by
// holder and times. What else stands there may have been edited.
func (s sentWrite) sameTimes(stored rl.LeaderElectionRecord) bool {
	return s.record.HolderIdentity == stored.HolderIdentity &&
		sameTime(s.record.AcquireTime, stored.AcquireTime) &&
		sameTime(s.record.RenewTime, stored.RenewTime)
}

// sameTime compares a time as sent with one as stored, which may have been cut or
// rounded to whole seconds (metav1.Time in JSON), milliseconds (a database's) or
// microseconds (metav1.MicroTime).
func sameTime(sent, stored metav1.Time) bool {
	for _, unit := range []time.Duration{time.Second, time.Millisecond} {
		if stored.Truncate(unit).Equal(stored.Time) {
			return sent.Truncate(unit).Equal(stored.Time) || sent.Round(unit).Equal(stored.Time)
		}
	}
	return sent.Truncate(time.Microsecond).Equal(stored.Truncate(time.Microsecond))
}
