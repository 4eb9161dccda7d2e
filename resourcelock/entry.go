package resourcelock

import (
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WriteAnnotation is the annotation in which a writer states what its write
// means beyond the spec of the Lease: a Statement as JSON. Peers that do not
// know it leave it in place; it names the holder and the renew time that it
// belongs to, so that it says nothing about what they write.
const WriteAnnotation = "holdfast-go.github.io/write"

// Entry is what one write puts into a Lease.
type Entry struct {
	// Record is the Lease's spec in the words of leader election.
	Record LeaderElectionRecord
	// Duration is the exact lease of Record, which carries it rounded up to whole
	// seconds. Zero or negative states none.
	Duration time.Duration
	// Mark tells this write from every other, of any process: it must not have
	// been used before. Empty marks nothing.
	Mark string
	// Testimony is what the writer's process has left of itself, by which witnesses
	// (package leaderelection/witness) tell whether it is dead: valid UTF-8 of at
	// most MaxTestimony bytes. Any other is left out, and so is that of an entry
	// without a mark. Empty is none.
	Testimony string
	// Successor is whom a release names to lead next: valid UTF-8 of at most
	// MaxSuccessor bytes. Any other is left out, and so is that of an entry which has a
	// holder or no mark. Empty names nobody.
	Successor string
	// Hears says that the holder hears of wishes (Wisher). It is left out of an entry
	// without a holder or a mark.
	Hears bool
}

// Statement is what the writer of a Lease has stated of its own write. The zero
// Statement is that of a writer which states nothing, such as client-go's.
type Statement struct {
	// Mark is the mark of the write.
	Mark string
	// Holder and RenewTime are those of the record as it was sent: whoever
	// writes or edits the record later leaves them as they are.
	Holder    string
	RenewTime time.Time
	// Duration is the exact lease.
	Duration time.Duration
	// Testimony is what the writer's process has left of itself. Snapshot.Testimony
	// tells whether it is the holder's.
	Testimony string
	// Successor is whom the writer has named to lead next. Snapshot.Successor tells
	// whether that still counts.
	Successor string
	// Hears is that the writer hears of wishes. Snapshot.Hears tells whether it is the
	// holder.
	Hears bool
}

// Statement returns what the writer of e states.
func (e Entry) Statement() Statement {
	return Statement{
		Mark: e.Mark, Holder: e.Record.HolderIdentity, RenewTime: e.Record.RenewTime.Time, Duration: e.Duration,
		Testimony: validTestimony(e.Testimony), Successor: validSuccessor(e.Record.HolderIdentity, e.Successor),
		Hears: e.Hears && e.Record.HolderIdentity != "",
	}
}

// Describes reports whether record is, in holder and renew time, what the
// statement was made about. Otherwise someone has written or edited it since.
// Admission may have changed the case of the holder.
func (s Statement) Describes(record LeaderElectionRecord) bool {
	return s != Statement{} && strings.EqualFold(s.Holder, record.HolderIdentity) &&
		s.RenewTime.Truncate(time.Microsecond).Equal(record.RenewTime.Truncate(time.Microsecond))
}

// thisProcess begins the marks of this process, and marks counts them.
var (
	thisProcess = sync.OnceValue(rand.Text)
	marks       atomic.Uint64
)

// newMark returns a mark for a write of the lock's own, through Interface.
func newMark() string { return thisProcess() + ".lock." + strconv.FormatUint(marks.Add(1), 36) }

// statementJSON is a Statement as the value of WriteAnnotation.
type statementJSON struct {
	Mark      string           `json:"mark,omitempty"`
	Holder    string           `json:"holder"`
	RenewTime metav1.MicroTime `json:"renewTime"`
	Duration  string           `json:"duration,omitempty"`
	Testimony string           `json:"testimony,omitempty"`
	Successor string           `json:"successor,omitempty"`
	Hears     bool             `json:"hears,omitempty"`
}

// annotate makes the annotations of lease say what its spec cannot.
func annotate(lease *coordinationv1.Lease, entry Entry) {
	forgetWish(lease, entry.Record)
	annotateDuration(lease, entry.Record, entry.Duration)
	stated := statementJSON{
		Mark:      entry.Mark,
		Holder:    entry.Record.HolderIdentity,
		RenewTime: metav1.NewMicroTime(entry.Record.RenewTime.Time),
		Testimony: validTestimony(entry.Testimony),
		Successor: validSuccessor(entry.Record.HolderIdentity, entry.Successor),
		Hears:     entry.Hears && entry.Record.HolderIdentity != "",
	}
	if entry.Duration > 0 {
		stated.Duration = entry.Duration.String()
	}
	value, err := json.Marshal(stated)
	if err != nil || entry.Mark == "" {
		delete(lease.Annotations, WriteAnnotation)
		return
	}
	if lease.Annotations == nil {
		lease.Annotations = map[string]string{}
	}
	lease.Annotations[WriteAnnotation] = string(value)
}

// statementOf returns the statement in the annotations of a Lease, the zero
// Statement where there is none that can be read.
func statementOf(annotations map[string]string) Statement {
	value, stated := annotations[WriteAnnotation]
	if !stated {
		return Statement{}
	}
	var s statementJSON
	if json.Unmarshal([]byte(value), &s) != nil {
		return Statement{}
	}
	duration, err := time.ParseDuration(s.Duration)
	if err != nil {
		duration = 0
	}
	return Statement{
		Mark: s.Mark, Holder: s.Holder, RenewTime: s.RenewTime.Time, Duration: duration,
		Testimony: validTestimony(s.Testimony), Successor: validSuccessor(s.Holder, s.Successor),
		Hears: s.Hears,
	}
}

// leaseOf returns the lease of a record: what its own writer has stated, else
// what LeaseDurationAnnotation says where that belongs to this very write, else
// the record's whole seconds.
func leaseOf(record LeaderElectionRecord, stated Statement, annotations map[string]string) time.Duration {
	if stated.Duration > 0 && stated.Describes(record) {
		return stated.Duration
	}
	return durationOf(record, annotations[LeaseDurationAnnotation])
}
