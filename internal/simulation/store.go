package simulation

import (
	"errors"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// state is the Lease at one moment, and what only the judge knows of it.
type state struct {
	rl.Snapshot
	// object is the Lease itself, in worlds whose locks speak HTTP.
	object *coordinationv1.Lease
	// position is that in the history, version the resource version.
	position int
	version  uint64
	// committed is the true time at which it came to be.
	committed time.Duration
	// record counts the writes of contenders: an edit by hand makes a new state
	// of the record before, unless it names another holder.
	record int
	// author wrote the record, sent it when its clock showed sent, and claimed the
	// lease with it or not. Nobody is the author of a deletion.
	author *Process
	sent   time.Time
	claim  bool
	// before wrote the record in a history that a backup has undone.
	before *Process
	// lease is how long a candidate must see the record before it claims.
	lease time.Duration
	// edited: by hand, since it was written; emptied: of its holder; dubious: so
	// that its holder cannot know its own write again; vague: so that others cannot
	// know that it is the same.
	edited, emptied, dubious, vague bool
}

// held reports whether a candidate must wait for the lease to run out.
func (s state) held() bool {
	return s.Exists() && (s.Record.HolderIdentity != "" || s.emptied)
}

// store is the API's memory. The world's mutex guards it.
type store struct {
	history []state // from the first, which is "no Lease", to the current
	// revision counts all that is written, also what is not our Lease; epoch the
	// backups that were restored, the last one at the position restored.
	revision, epoch uint64
	restored        int
	// compacted is the version before which no watch can begin.
	compacted uint64
	// changed is closed, and replaced, with every commit.
	changed chan struct{}
}

func newStore() *store {
	return &store{history: []state{{}}, changed: make(chan struct{})}
}

func (s *store) current() state { return s.history[len(s.history)-1] }

// check is what the API does before it executes a write based on a state of the
// resource version given, empty if there is to be none.
func (s *store) check(resourceVersion string) error {
	current := s.current()
	switch exists := resourceVersion != ""; {
	case !exists && current.Exists():
		return apierrors.NewAlreadyExists(leases, "lease")
	case exists && !current.Exists():
		return apierrors.NewNotFound(leases, "lease")
	case resourceVersion != current.ResourceVersion:
		return apierrors.NewConflict(leases, "lease", errors.New("the object has been modified"))
	}
	return nil
}

// edit makes what change does of the current state the next, of the same record.
func (s *store) edit(at time.Duration, change func(*state)) state {
	next := s.current()
	next.committed = at
	change(&next)
	return s.append(next)
}

// delete removes the Lease.
func (s *store) delete(at time.Duration) {
	s.append(state{committed: at, record: s.nextRecord()})
	last := &s.history[len(s.history)-1]
	last.Snapshot = rl.Snapshot{}
}

// commit makes next the current state, as a new record.
func (s *store) commit(next state) state {
	next.record = s.nextRecord()
	return s.append(next)
}

func (s *store) nextRecord() int { return s.current().record + 1 }

// epochs is how many versions there are of one revision, so that what was
// written after a backup has not the version of what was written after it was
// restored: between the two, a real API writes many other objects.
const epochs = 16

func (s *store) append(next state) state {
	s.revision++
	next.version = s.revision*epochs + s.epoch%epochs
	return s.put(next)
}

func (s *store) put(next state) state {
	next.position = len(s.history)
	next.ResourceVersion = strconv.FormatUint(next.version, 10)
	if next.object != nil {
		next.object = next.object.DeepCopy()
		next.object.ResourceVersion = next.ResourceVersion
	}
	s.history = append(s.history, next)
	close(s.changed)
	s.changed = make(chan struct{})
	return next
}

// restore makes an earlier state the current one, under its old version. If the
// record has been written since, it is a new one: those who knew of it know of it
// again. Whoever wrote it may lead on if he leads now; for others, he has just
// been seen.
func (s *store) restore(earlier state, at time.Duration) {
	earlier.committed = at
	if earlier.record != s.current().record {
		earlier.record = s.nextRecord()
		if earlier.author != nil {
			earlier.author, earlier.before = nil, earlier.author
		}
	}
	s.revision = earlier.version / epochs
	s.epoch++
	s.restored = len(s.history)
	s.compacted = 0
	s.put(earlier)
}

// compact forgets all versions but those to come.
func (s *store) compact() {
	s.revision += 1000
	s.compacted = s.revision * epochs
}

// after returns the position in history of the first state that follows the one
// with the resource version given; for the empty version it is the current one,
// as a watch without one begins with what is there.
func (s *store) after(resourceVersion string) (int, error) {
	version, err := strconv.ParseUint(resourceVersion, 10, 64)
	if err != nil {
		if s.current().Exists() {
			return len(s.history) - 1, nil
		}
		return len(s.history), nil
	}
	if version < s.compacted {
		return 0, apierrors.NewResourceExpired("too old resource version")
	}
	next := len(s.history)
	for next > s.restored+1 && s.history[next-1].version > version {
		next--
	}
	return next, nil
}
