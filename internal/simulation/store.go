package simulation

import (
	"errors"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// state is the Lease at one moment, and what only the judge knows of it.
type state struct {
	rl.Snapshot
	// version is the store's revision; a deletion has one too.
	version uint64
	// committed is the true time at which it came to be.
	committed time.Duration
	// record counts the records: an edit of labels makes a new state with the
	// record of the one before.
	record int
	// author wrote the record, and sent it when its clock showed sent. Nobody is
	// the author of a deletion.
	author *Process
	sent   time.Time
}

// store is the API's memory. The world's mutex guards it.
type store struct {
	history []state // from the first, which is "no Lease", to the current
	// changed is closed, and replaced, with every commit.
	changed chan struct{}
}

func newStore() *store {
	return &store{history: []state{{}}, changed: make(chan struct{})}
}

func (s *store) current() state { return s.history[len(s.history)-1] }

// replace is what the API does with a write.
func (s *store) replace(base rl.Snapshot, next state, blind bool) (state, error) {
	current := s.current()
	switch {
	case !base.Exists() && current.Exists() && !blind:
		return state{}, apierrors.NewAlreadyExists(leases, "lease")
	case base.Exists() && !current.Exists() && !blind:
		return state{}, apierrors.NewNotFound(leases, "lease")
	case base.ResourceVersion != current.ResourceVersion && !blind:
		return state{}, apierrors.NewConflict(leases, "lease", errors.New("the object has been modified"))
	}
	return s.commit(next), nil
}

// edit changes labels: the state is another, the record the same.
func (s *store) edit(at time.Duration) {
	next := s.current()
	next.committed = at
	s.append(next)
}

// delete removes the Lease.
func (s *store) delete(at time.Duration) {
	s.append(state{committed: at, record: s.current().record + 1})
	s.history[len(s.history)-1].Snapshot = rl.Snapshot{}
}

// commit makes next the current state, as a new record.
func (s *store) commit(next state) state {
	next.record = s.current().record + 1
	return s.append(next)
}

func (s *store) append(next state) state {
	next.version = s.current().version + 1
	next.ResourceVersion = strconv.FormatUint(next.version, 10)
	s.history = append(s.history, next)
	close(s.changed)
	s.changed = make(chan struct{})
	return next
}

// after returns the position in history of the first state that follows the one
// with the resource version given; for the empty version it is the current one,
// as a watch without one begins with what is there.
func (s *store) after(resourceVersion string) int {
	version, err := strconv.ParseUint(resourceVersion, 10, 64)
	if err != nil {
		if s.current().Exists() {
			return len(s.history) - 1
		}
		return len(s.history)
	}
	return int(min(version+1, uint64(len(s.history)))) // versions count from 0
}
