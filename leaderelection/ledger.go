package leaderelection

import (
	"crypto/rand"
	"strconv"
	"sync"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// mostRemembered bounds the writes of unknown outcome that are remembered: the
// oldest is forgotten for one more. A forgotten one that succeeds after all is
// known by its mark to be no stranger's, but not when it was sent.
const mostRemembered = 32

// ledger holds the writes that this elector has sent and that may stand in the
// record: what a write with an unknown outcome is settled by. It is safe for
// concurrent use.
type ledger struct {
	writer

	mu     sync.Mutex
	count  uint64
	term   uint64
	writes []sentWrite // in the order they were sent
	// testimony goes with every write that holds the lease, and so does hears: that this
	// elector hears of wishes.
	testimony string
	hears     bool
}

func newLedger(identity string) *ledger {
	return &ledger{writer: writer{process: rand.Text(), identity: identity}}
}

// enter notes a write of record before it leaves, and returns it with a mark
// that no other write has.
func (l *ledger) enter(record rl.LeaderElectionRecord, duration time.Duration, sent instant) rl.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := l.marked(record, duration)
	entry.Testimony, entry.Hears = l.testimony, l.hears
	if len(l.writes) >= mostRemembered {
		oldest := 0
		if l.writes[0].known {
			oldest = 1
		}
		l.writes = append(l.writes[:oldest], l.writes[oldest+1:]...)
	}
	l.writes = append(l.writes, sentWrite{mark: entry.Mark, sent: sent, record: record, term: l.term})
	return entry
}

// testify makes testimony that of the writes that are entered from now on.
func (l *ledger) testify(testimony string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.testimony = testimony
}

// hear says with the writes that are entered from now on whether wishes are heard.
func (l *ledger) hear(hears bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hears = hears
}

// testified returns the testimony of this process, empty if it has left none.
func (l *ledger) testified() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.testimony
}

// release returns the entry that gives held up, and names a successor unless that is
// empty. It is not a write to settle by: a release that lands leaves nothing that is
// ours.
func (l *ledger) release(held rl.LeaderElectionRecord, successor string, now instant) rl.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := l.marked(release(held, now.wall), time.Second)
	entry.Successor = successor
	return entry
}

func (l *ledger) marked(record rl.LeaderElectionRecord, duration time.Duration) rl.Entry {
	l.count++
	return rl.Entry{Record: record, Duration: duration, Mark: l.process + "." + strconv.FormatUint(l.count, 36)}
}

// judge returns whose write a state is, and when it was sent where it is ours.
func (l *ledger) judge(state rl.Snapshot) (whose, instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	verdict, write := l.writer.judge(state, l.writes)
	return verdict, write.sent
}

// find returns when the write was sent that left state behind, and false if
// none of this campaign and its term did.
func (l *ledger) find(state rl.Snapshot) (instant, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	verdict, write := l.writer.judge(state, l.writes)
	return write.sent, verdict == ours && write.term == l.term
}

// left reports whether a write of ours left state behind, of an earlier term
// too. Nobody else can have led since, and this elector may claim it anew; but
// of an earlier term nothing is resumed.
func (l *ledger) left(state rl.Snapshot) bool {
	verdict, _ := l.judge(state)
	return verdict == ours
}

// stands reports whether a write of ours stands since it was made, so that nobody
// else can have led since. That is so for a lease at least. After that it is where
// its version is what it was: one that others have written over may be put back by
// hand.
func (l *ledger) stands(state rl.Snapshot, now instant, lease time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	verdict, write := l.writer.judge(state, l.writes)
	return verdict == ours && (!write.known || write.version == state.ResourceVersion || now.fastest(write.sent) < lease)
}

// confirm notes that the write with mark has left state behind. It is the only
// one that counts from now on: the others were based on a state that is gone. A
// write that is not remembered stays so.
func (l *ledger) confirm(state rl.Snapshot, mark string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, write := range l.writes {
		if write.mark == mark {
			l.keep(write, state)
			return
		}
	}
}

// settle notes that the write of ours which state shows has left it behind, and
// no other has or will.
func (l *ledger) settle(state rl.Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if verdict, write := l.writer.judge(state, l.writes); verdict == ours {
		l.keep(write, state)
	}
}

func (l *ledger) keep(write sentWrite, state rl.Snapshot) {
	write.record, write.version, write.known = state.Record, state.ResourceVersion, true
	l.writes = append(l.writes[:0], write)
}

// endTerm notes that a term has ended, of which nothing is to be resumed.
func (l *ledger) endTerm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term++
	l.hears = false
}

// supersede forgets every write, since another's has been seen after them: what
// shows one of them from now on is a backup, or was copied by hand, and whoever
// has written in between may lead still.
func (l *ledger) supersede() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes = nil
}

// disown forgets every write, before a release leaves: what the record shows
// from now on is waited for like anyone's, since the release may come at any
// time. It returns the judge by what was known until then.
func (l *ledger) disown() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.term++
	former := &ledger{writer: l.writer, writes: l.writes}
	l.writes = nil
	return former
}
