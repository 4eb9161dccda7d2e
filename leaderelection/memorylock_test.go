package leaderelection

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/holdfast-go/holdfast/internal/turn"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// memory is the one Lease of a test, with as many locks on it as there are
// contenders.
type memory struct {
	mu       sync.Mutex
	state    rl.Snapshot
	version  int
	watchers map[chan rl.Snapshot]struct{}
	log      []rl.Snapshot
}

func newMemory() *memory {
	return &memory{version: 100, watchers: map[chan rl.Snapshot]struct{}{}}
}

func (m *memory) set(state rl.Snapshot) rl.Snapshot {
	m.version++
	if state.Record.HolderIdentity != "" || state.Duration != 0 {
		state.ResourceVersion = strconv.Itoa(m.version)
	}
	m.state = state
	m.log = append(m.log, state)
	for w := range m.watchers {
		w <- state
	}
	return state
}

// edit changes the Lease behind everyone's back.
func (m *memory) edit(change func(*rl.Snapshot)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.state
	change(&next)
	m.set(next)
}

func (m *memory) remove() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(rl.Snapshot{})
}

func (m *memory) now() rl.Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// states returns every state that was committed.
func (m *memory) states() []rl.Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]rl.Snapshot(nil), m.log...)
}

// memoryLock is one contender's lock, with what may go wrong on its way.
type memoryLock struct {
	*memory
	identity string

	faults sync.Mutex
	// cut blocks every call and watch until its context ends.
	cut bool
	// loseAnswers commits writes but never answers them.
	loseAnswers bool
	// queue is what writes wait for before they are sent, nil for nothing; told says that
	// they tell so.
	queue chan struct{}
	told  bool
	// late is how long after its write an answer comes.
	late time.Duration
	// fail is returned instead of doing anything.
	fail error
	// watchErr is what Watch returns at once; deaf makes it deliver nothing.
	watchErr error
	deaf     bool
	reads    int
	events   []string
}

func (m *memory) lock(identity string) *memoryLock { return &memoryLock{memory: m, identity: identity} }

func (l *memoryLock) with(change func(*memoryLock)) {
	l.faults.Lock()
	defer l.faults.Unlock()
	change(l)
}

func (l *memoryLock) readCount() (n int) {
	l.with(func(l *memoryLock) { n = l.reads })
	return n
}

func (l *memoryLock) recorded() (events []string) {
	l.with(func(l *memoryLock) { events = append(events, l.events...) })
	return events
}

func (l *memoryLock) meets(ctx context.Context) error {
	l.faults.Lock()
	cut, fail := l.cut, l.fail
	l.faults.Unlock()
	if cut {
		<-ctx.Done()
		return ctx.Err()
	}
	return fail
}

// waits waits for the turn of a write among those of other leases.
func (l *memoryLock) waits(ctx context.Context) error {
	l.faults.Lock()
	queue, mine := l.queue, turn.Of(ctx)
	if !l.told {
		mine = nil
	}
	l.faults.Unlock()
	if queue == nil {
		return nil
	}
	mine.Wait()
	start := time.Now()
	select {
	case <-queue:
		mine.Send(time.Since(start))
		return nil
	case <-ctx.Done():
		mine.Miss()
		return ctx.Err()
	}
}

func (l *memoryLock) Read(ctx context.Context) (rl.Snapshot, error) {
	l.with(func(l *memoryLock) { l.reads++ })
	if err := l.meets(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	return l.now(), nil
}

func (l *memoryLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if err := l.waits(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	if err := l.meets(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	state, err := l.commit(base, next)
	l.faults.Lock()
	lose, late := l.loseAnswers, l.late
	l.faults.Unlock()
	if lose {
		<-ctx.Done()
		return rl.Snapshot{}, ctx.Err()
	}
	select {
	case <-ctx.Done():
		return rl.Snapshot{}, ctx.Err()
	case <-time.After(late):
		return state, err
	}
}

func (l *memoryLock) commit(base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if base.ResourceVersion != l.state.ResourceVersion {
		return rl.Snapshot{}, apierrors.NewConflict(leases, "it", errors.New("changed since"))
	}
	return l.set(rl.Snapshot{Record: next.Record, Duration: next.Duration, Stated: next.Statement(), Wished: base.Wished}), nil
}

// Wish implements rl.Wisher.
func (l *memoryLock) Wish(ctx context.Context, base rl.Snapshot, by string, priority int) (rl.Snapshot, error) {
	if err := l.meets(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if base.ResourceVersion != l.state.ResourceVersion {
		return rl.Snapshot{}, apierrors.NewConflict(leases, "it", errors.New("changed since"))
	}
	next := l.state
	next.Wished = base.NewWish(by, priority)
	return l.set(next), nil
}

func (l *memoryLock) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	l.faults.Lock()
	err, deaf := l.watchErr, l.deaf
	l.faults.Unlock()
	if err != nil {
		return err
	}
	if deaf {
		<-ctx.Done()
		return ctx.Err()
	}
	states := make(chan rl.Snapshot, 1000)
	l.mu.Lock()
	l.watchers[states] = struct{}{}
	if l.state.ResourceVersion != from.ResourceVersion {
		states <- l.state
	}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, states)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case state := <-states:
			l.faults.Lock()
			silent := l.cut || l.deaf
			l.faults.Unlock()
			if !silent {
				seen(state)
			}
		}
	}
}

func (l *memoryLock) Get(ctx context.Context) (*rl.LeaderElectionRecord, []byte, error) {
	return nil, nil, errors.New("the elector must use Read")
}
func (l *memoryLock) Create(ctx context.Context, _ rl.LeaderElectionRecord) error {
	return errors.New("the elector must use Write")
}
func (l *memoryLock) Update(ctx context.Context, _ rl.LeaderElectionRecord) error {
	return errors.New("the elector must use Write")
}
func (l *memoryLock) RecordEvent(s string) {
	l.with(func(l *memoryLock) { l.events = append(l.events, s) })
}
func (l *memoryLock) Identity() string             { return l.identity }
func (l *memoryLock) Describe() string             { return "test/it" }
func (l *memoryLock) Bound() (time.Duration, bool) { return 0, true }
