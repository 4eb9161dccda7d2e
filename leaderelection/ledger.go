package leaderelection

import (
	"crypto/rand"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// ledger holds the writes that this elector has sent and that may stand in the
// record: what a write with an unknown outcome is settled by. It is safe for
// concurrent use.
type ledger struct {
	// process is the part of each mark that no other elector has.
	process string

	mu     sync.Mutex
	count  uint64
	writes []sentWrite
}

func newLedger() *ledger { return &ledger{process: rand.Text()} }

// mostRemembered bounds the writes that are remembered, of which the newest
// matter: a write that arrives later than so many others is waited for like
// anyone's.
const mostRemembered = 256

type sentWrite struct {
	entry rl.Entry
	sent  instant
}

// enter notes a write of record before it leaves, and returns it with a mark
// that no other write has.
func (l *ledger) enter(record rl.LeaderElectionRecord, duration time.Duration, sent instant) rl.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	entry := rl.Entry{Record: record, Duration: duration, Mark: l.process + "." + strconv.FormatUint(l.count, 36)}
	if len(l.writes) == mostRemembered {
		l.writes = slices.Delete(l.writes, 0, 1)
	}
	l.writes = append(l.writes, sentWrite{entry, sent})
	return entry
}

// find returns when the write was sent that left state behind, and false if
// none of ours did. Of two that cannot be told apart (a lock may store whole
// seconds only), it is the earlier.
func (l *ledger) find(state rl.Snapshot) (instant, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.writes {
		if w.left(state) {
			return w.sent, true
		}
	}
	return instant{}, false
}

// confirm makes the write of entry, as the API answered that it stands, the
// only one that counts: it was sent at sent.
func (l *ledger) confirm(state rl.Snapshot, mark string, sent instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := rl.Entry{Record: state.Record, Duration: state.Duration, Mark: mark}
	l.writes = append(l.writes[:0], sentWrite{entry, sent})
}

// disown forgets every write: what the record shows from now on is waited for
// like anyone's.
func (l *ledger) disown() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes = nil
}

// settle forgets every write but the one that state shows to have succeeded:
// the others were based on a state that is gone and can succeed no more.
func (l *ledger) settle(state rl.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.writes {
		if w.left(state) {
			l.writes = append(l.writes[:0], w)
			return
		}
	}
	l.writes = nil
}

// left reports whether state is what w left behind. A lock that keeps marks
// tells by the mark; of another, the times must do.
func (w sentWrite) left(state rl.Snapshot) bool {
	if state.Stated.Describes(state.Record) && state.Stated.Mark != "" {
		return state.Stated.Mark == w.entry.Mark
	}
	return sameWrite(w.entry.Record, state.Record)
}

// sameWrite reports whether the record stored is what writing sent left behind.
// Strategy and preferred holder are the API server's to change.
func sameWrite(sent, stored rl.LeaderElectionRecord) bool {
	return sent.HolderIdentity == stored.HolderIdentity &&
		sent.LeaseDurationSeconds == stored.LeaseDurationSeconds &&
		sent.LeaderTransitions == stored.LeaderTransitions &&
		sameTime(sent.AcquireTime, stored.AcquireTime) &&
		sameTime(sent.RenewTime, stored.RenewTime)
}

// sameTime compares a time as sent with one as stored, which may have been cut
// to whole seconds (metav1.Time in JSON) or microseconds (metav1.MicroTime).
func sameTime(sent, stored metav1.Time) bool {
	if stored.Nanosecond() == 0 {
		return sent.Truncate(time.Second).Equal(stored.Time)
	}
	return sent.Truncate(time.Microsecond).Equal(stored.Truncate(time.Microsecond))
}

// claim returns the record with which identity takes the lease over from base.
func claim(identity string, base rl.Snapshot, lease time.Duration, now time.Time) rl.LeaderElectionRecord {
	at := metav1.NewTime(now.Truncate(time.Microsecond))
	record := rl.LeaderElectionRecord{
		HolderIdentity:       identity,
		LeaseDurationSeconds: rl.WholeSeconds(lease),
		AcquireTime:          at,
		RenewTime:            at,
	}
	if base.Exists() {
		// The API takes no more than an int32, and nothing negative.
		record.LeaderTransitions = max(0, min(base.Record.LeaderTransitions, math.MaxInt32-1)) + 1
	}
	return record
}

// renewal returns the record that renews held.
func renewal(held rl.LeaderElectionRecord, lease time.Duration, now time.Time) rl.LeaderElectionRecord {
	held.LeaseDurationSeconds = rl.WholeSeconds(lease)
	held.RenewTime = metav1.NewTime(now.Truncate(time.Microsecond))
	return held
}

// release returns the entry that gives held up. It is not a write to settle by:
// a release that lands leaves nothing that is ours.
func (l *ledger) release(held rl.LeaderElectionRecord, now instant) rl.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	record := release(held, now.wall)
	return rl.Entry{
		Record:   record,
		Duration: time.Duration(record.LeaseDurationSeconds) * time.Second,
		Mark:     l.process + "." + strconv.FormatUint(l.count, 36),
	}
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
