package leaderelection

import (
	"crypto/rand"
	"slices"
	"strconv"
	"sync"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// mostRemembered bounds the writes of unknown outcome that are remembered: the
// oldest is forgotten for one more. A forgotten one that succeeds after all is
// known by its mark to be no stranger's, but not when it was sent.
const mostRemembered = 32

// sentWrites holds the writes that this elector has sent and that may stand in the
// record: what a write with an unknown outcome is settled by. It is safe for
// concurrent use.
type sentWrites struct {
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

func newSentWrites(identity string) *sentWrites {
	return &sentWrites{writer: writer{process: rand.Text(), identity: identity}}
}

// add notes a write of record before it leaves, and returns it with a mark
// that no other write has.
func (w *sentWrites) add(record rl.LeaderElectionRecord, duration time.Duration, sent instant) rl.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	entry := w.marked(record, duration)
	entry.Testimony, entry.Hears = w.testimony, w.hears
	if len(w.writes) >= mostRemembered {
		oldest := 0
		if w.writes[0].known {
			oldest = 1
		}
		w.writes = append(w.writes[:oldest], w.writes[oldest+1:]...)
	}
	w.writes = append(w.writes, sentWrite{mark: entry.Mark, sent: sent, record: record, term: w.term})
	return entry
}

// setTestimony makes testimony that of the writes that are added from now on.
func (w *sentWrites) setTestimony(testimony string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.testimony = testimony
}

// setHears says with the writes that are added from now on whether wishes are heard.
func (w *sentWrites) setHears(hears bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hears = hears
}

// ownTestimony returns the testimony of this process, empty if it has left none.
func (w *sentWrites) ownTestimony() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.testimony
}

// releaseEntry returns the entry that gives held up, and names a successor unless that is
// empty. It is not a write to settle by: a release that lands leaves nothing that is
// ours.
func (w *sentWrites) releaseEntry(held rl.LeaderElectionRecord, successor string, now instant) rl.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	entry := w.marked(release(held, now.wall), time.Second)
	entry.Successor = successor
	return entry
}

func (w *sentWrites) marked(record rl.LeaderElectionRecord, duration time.Duration) rl.Entry {
	w.count++
	return rl.Entry{Record: record, Duration: duration, Mark: w.process + "." + strconv.FormatUint(w.count, 36)}
}

// judge returns whose write a state is, and when it was sent where it is ours.
func (w *sentWrites) judge(state rl.Snapshot) (whose, instant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	verdict, write := w.writer.judge(state, w.writes)
	return verdict, write.sent
}

// sentAt returns when the write was sent that left state behind, and false if
// none of this campaign and its term did.
func (w *sentWrites) sentAt(state rl.Snapshot) (instant, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	verdict, write := w.writer.judge(state, w.writes)
	return write.sent, verdict == ours && write.term == w.term
}

// wrote reports whether a write of ours left state behind, of an earlier term
// too. Nobody else can have led since, and this elector may claim it anew; but
// of an earlier term nothing is resumed.
func (w *sentWrites) wrote(state rl.Snapshot) bool {
	verdict, _ := w.judge(state)
	return verdict == ours
}

// stands reports whether a write of ours stands since it was made, so that nobody
// else can have led since. That is so for a lease at least. After that it is where
// its version is what it was: one that others have written over may be put back by
// hand.
func (w *sentWrites) stands(state rl.Snapshot, now instant, lease time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	verdict, write := w.writer.judge(state, w.writes)
	return verdict == ours && (!write.known || write.version == state.ResourceVersion || now.fastestSince(write.sent) < lease)
}

// confirm notes that the write with mark has left state behind. It is the only
// one that counts from now on: the others were based on a state that is gone. A
// write that is not remembered stays so.
func (w *sentWrites) confirm(state rl.Snapshot, mark string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, write := range w.writes {
		if write.mark == mark {
			w.keep(write, state)
			return
		}
	}
}

// settle notes that the write of ours which state shows has left it behind, and
// no other has or will.
func (w *sentWrites) settle(state rl.Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if verdict, write := w.writer.judge(state, w.writes); verdict == ours {
		w.keep(write, state)
	}
}

func (w *sentWrites) keep(write sentWrite, state rl.Snapshot) {
	w.writes = append(w.writes[:0], write.storedAs(state))
}

// saw notes that state was seen, where a write of ours has left it behind: those before
// it are overtaken, and what shows one of them from now on is a backup. So it is with
// the version that this one was known at, once another is seen. Those after it may be
// under way.
func (w *sentWrites) saw(state rl.Snapshot) {
	w.mu.Lock()
	defer w.mu.Unlock()
	verdict, write := w.writer.judge(state, w.writes)
	if verdict != ours {
		return
	}
	i := slices.IndexFunc(w.writes, func(other sentWrite) bool { return other.mark == write.mark })
	switch {
	case !write.known:
		write = write.storedAs(state)
	case write.version != state.ResourceVersion:
		write.version = ""
	}
	w.writes[i] = write
	w.writes = slices.Delete(w.writes, 0, i)
}

// endTerm notes that a term has ended, of which nothing is to be resumed.
func (w *sentWrites) endTerm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.term++
	w.hears = false
}

// supersede forgets every write, since another's has been seen after them: what
// shows one of them from now on is a backup, or was copied by hand, and whoever
// has written in between may lead still.
func (w *sentWrites) supersede() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = nil
}

// disown forgets every write, before a release leaves: what the record shows
// from now on is waited for like anyone's, since the release may come at any
// time. It returns the judge by what was known until then.
func (w *sentWrites) disown() *sentWrites {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.term++
	former := &sentWrites{writer: w.writer, writes: w.writes}
	w.writes = nil
	return former
}
