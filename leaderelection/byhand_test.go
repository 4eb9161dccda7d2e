package leaderelection

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// unstated is the state that a holder leaves which states nothing of its
// writes, such as client-go's.
func unstated(s *rl.Snapshot) { s.Stated = rl.Statement{} }

// byHand are edits of a Lease that its holder has not made.
var byHand = map[string]func(*rl.Snapshot){
	"emptied": func(s *rl.Snapshot) { s.Record.HolderIdentity = "" },
	"emptied, with the duration of a release": func(s *rl.Snapshot) {
		s.Record.HolderIdentity, s.Record.LeaseDurationSeconds, s.Duration = "", 1, time.Second
	},
	"emptied, and the time of its acquisition with it": func(s *rl.Snapshot) {
		s.Record.HolderIdentity, s.Record.AcquireTime = "", metav1.Time{}
	},
	"cleared whole":               func(s *rl.Snapshot) { s.Record, s.Duration = rl.LeaderElectionRecord{}, 0 },
	"cleared whole, mark and all": func(s *rl.Snapshot) { s.Record, s.Duration, s.Stated = rl.LeaderElectionRecord{}, 0, rl.Statement{} },
	"emptied by an edit that takes the annotations, too": func(s *rl.Snapshot) {
		s.Record.HolderIdentity, s.Stated = "", rl.Statement{}
	},
}

func TestALeaseEmptiedByHandIsHeldForAsLongAsItWouldHaveBeen(t *testing.T) {
	for name, edit := range byHand {
		for _, marks := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, marked %v", name, marks), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					a := m.lock("a")
					leader := contend(t, a)
					sleep(s)
					b := contend(t, m.lock("b"))
					sleep(10*s + 500*ms)
					a.with(func(l *memoryLock) { l.cut = true }) // and notices nothing until its term is over
					if !marks {
						m.edit(unstated)
						sleep(ms)
					}
					ends := m.now().Record.RenewTime.Add(15 * s)
					m.edit(edit)
					sleep(30 * s)
					b.ledOnceAfter(t, leader)
					assert.WithinDuration(t, ends, b.runs()[0].from, soon)
				})
			})
		}
	}
}

func TestOneWhoJustCameWaitsForALeaseThatWasEmptiedByHand(t *testing.T) {
	for name, c := range map[string]struct {
		state func() rl.Snapshot
		free  bool
	}{
		"a duration above the one second of a release": {func() rl.Snapshot { return held("", "", s, 15*s) }, false},
		"a statement that names a holder": {func() rl.Snapshot {
			state := held("", "", s, s)
			state.Stated = rl.Statement{Mark: "m", Holder: "a", RenewTime: state.Record.RenewTime.Time, Duration: 15 * s}
			return state
		}, false},
		"a statement that names a holder, of a record that is gone": {func() rl.Snapshot {
			return rl.Snapshot{Record: rl.LeaderElectionRecord{LeaseDurationSeconds: 1}, Duration: s, Stated: rl.Statement{Mark: "m", Holder: "a", RenewTime: epoch, Duration: 15 * s}}
		}, false},
		"released": {func() rl.Snapshot {
			state := held("", "", s, s)
			state.Stated = rl.Statement{Mark: "m", RenewTime: state.Record.RenewTime.Time, Duration: s}
			return state
		}, true},
		"released by one who states nothing, after one who did": {func() rl.Snapshot {
			state := held("", "", 20*s, s)
			state.Stated = rl.Statement{Mark: "m", Holder: "a", RenewTime: epoch, Duration: 15 * s}
			return state
		}, true},
		"never held": {func() rl.Snapshot {
			return rl.Snapshot{Record: rl.LeaderElectionRecord{LeaseDurationSeconds: 15}, Duration: 15 * s}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				m.edit(func(s *rl.Snapshot) { *s = c.state() })
				b := contend(t, m.lock("b"))
				sleep(s)
				if c.free {
					assert.Len(t, b.runs(), 1)
					return
				}
				assert.Empty(t, b.runs())
				sleep(14*s + soon)
				assert.Len(t, b.runs(), 1)
			})
		})
	}
}

// Admission has stored the identity in another case, and someone has edited the
// duration: what the holder has stated of its write is still about it.
func TestADurationEditedByHandIsNotBelievedWhereAdmissionChangesTheCase(t *testing.T) {
	for _, edit := range []func(*rl.Snapshot){
		func(*rl.Snapshot) {},
		func(state *rl.Snapshot) {
			state.Record.RenewTime = metav1.NewTime(state.Record.RenewTime.Add(time.Minute))
		},
	} {
		within(t, func(t *testing.T) {
			m := newMemory()
			m.edit(func(state *rl.Snapshot) {
				*state = held("HOLDER", "", 0, time.Minute)
				state.Record.LeaseDurationSeconds, state.Duration = 5, 5*s
				state.Stated = rl.Statement{Mark: "m", Holder: "holder", RenewTime: state.Record.RenewTime.Time, Duration: time.Minute}
				edit(state)
			})
			b := contend(t, m.lock("b"))
			sleep(59 * s)
			assert.Empty(t, b.runs())
			sleep(s + soon)
			assert.Len(t, b.runs(), 1)
		})
	}
}

func TestALeaseThatIsTakenFromItsHolderByHandIsStillHeldByThatOne(t *testing.T) {
	for name, take := range map[string]func(m *memory){
		"another holder": func(m *memory) {
			m.edit(func(state *rl.Snapshot) {
				state.Record.HolderIdentity, state.Record.LeaseDurationSeconds, state.Duration = "x", 1, s
			})
		},
		"made anew": func(m *memory) {
			m.remove()
			sleep(s)
			m.edit(func(state *rl.Snapshot) { *state = rl.Snapshot{Duration: 1} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				a := m.lock("a")
				leader := contend(t, a)
				sleep(s)
				b := contend(t, m.lock("b"))
				sleep(500 * ms)
				a.with(func(l *memoryLock) { l.cut = true })
				take(m)
				sleep(30 * s)
				b.ledOnceAfter(t, leader)
			})
		})
	}
}

func TestADurationEditedByHandMovesNobodysDeadline(t *testing.T) {
	for _, edited := range []int{1, 3, 3600, 0, -5, math.MaxInt32, math.MaxInt64} {
		for _, marks := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d s, marked %v", edited, marks), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					a := m.lock("a")
					leader := contend(t, a)
					sleep(s)
					b := contend(t, m.lock("b"))
					sleep(3 * s)
					a.with(func(l *memoryLock) { l.cut = true })
					if !marks {
						m.edit(unstated)
						sleep(ms)
					}
					ends := m.now().Record.RenewTime.Add(15 * s)
					m.edit(func(state *rl.Snapshot) {
						state.Record.LeaseDurationSeconds = edited
						if !state.Stated.Describes(state.Record) {
							state.Duration = time.Duration(edited) * time.Second // overflows, as in a lock of one's own
						}
					})
					sleep(40 * s)
					b.ledOnceAfter(t, leader)
					assert.WithinDuration(t, ends, b.runs()[0].from, soon)
				})
			})
		}
	}
}

// One who comes between two edits has not seen what the holder wrote, but what the
// holder has stated is still there.
func TestADurationAndARenewTimeEditedByHandMoveNobodysDeadline(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		leader := contend(t, a)
		sleep(3 * s)
		a.with(func(l *memoryLock) { l.cut = true })
		m.edit(func(state *rl.Snapshot) { state.Record.LeaseDurationSeconds = 1 })
		b := contend(t, m.lock("b"))
		sleep(s)
		m.edit(func(state *rl.Snapshot) {
			state.Record.RenewTime = metav1.NewTime(state.Record.RenewTime.Add(s))
			state.Duration = s // as a lock tells it that finds the statement not to describe the record
		})
		edited := time.Now()
		sleep(40 * s)
		b.ledOnceAfter(t, leader)
		assert.WithinDuration(t, edited.Add(15*s), b.runs()[0].from, soon)
	})
}

func TestAnEditThatIsNoRenewalDoesNotStartTheWaitAnew(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		contend(t, a)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(3 * s)
		a.with(func(l *memoryLock) { l.cut = true })
		ends := m.now().Record.RenewTime.Add(15 * s)
		for n := range 13 {
			m.edit(func(state *rl.Snapshot) {
				state.Record.LeaderTransitions += n % 2
				state.Record.LeaseDurationSeconds = 15 + n%3
				state.Record.PreferredHolder = fmt.Sprint(n % 5)
				state.Record.AcquireTime = metav1.NewTime(state.Record.AcquireTime.Add(-s))
			})
			sleep(s)
		}
		sleep(20 * s)
		require.Len(t, b.runs(), 1)
		assert.WithinDuration(t, ends, b.runs()[0].from, 300*ms)
	})
}

func TestADurationBeyondMeasureIsHonoured(t *testing.T) {
	for name, state := range map[string]rl.Snapshot{
		"a lock that reports the longest there is": func() rl.Snapshot { h := held("x", "", 0, s); h.Duration = math.MaxInt64; return h }(),
		"seconds that overflow when they are multiplied": func() rl.Snapshot {
			h := held("x", "", 0, s)
			h.Record.LeaseDurationSeconds = 18446744074
			h.Duration = time.Duration(h.Record.LeaseDurationSeconds) * time.Second
			return h
		}(),
	} {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, plain %v", name, plain), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					m.edit(func(s *rl.Snapshot) { *s = state })
					var lock rl.Interface = m.lock("a")
					if plain {
						if state.Record.LeaseDurationSeconds == 1 {
							return // an Interface has no place for it
						}
						lock = plainMemory{m.lock("a"), new(rl.Snapshot)}
					}
					a := contend(t, lock)
					sleep(time.Hour)
					assert.Empty(t, a.runs())
				})
			})
		}
	}
}

// plainMemory is a lock on the memory that is no more than an Interface.
type plainMemory struct {
	l    *memoryLock
	last *rl.Snapshot
}

func (i plainMemory) Get(ctx context.Context) (*rl.LeaderElectionRecord, []byte, error) {
	state, err := i.l.Read(ctx)
	*i.last = state
	return &state.Record, []byte(state.ResourceVersion), err
}

func (i plainMemory) Create(ctx context.Context, record rl.LeaderElectionRecord) error {
	_, err := i.l.Write(ctx, rl.Snapshot{}, rl.Entry{Record: record})
	return err
}

func (i plainMemory) Update(ctx context.Context, record rl.LeaderElectionRecord) error {
	state, err := i.l.Write(ctx, *i.last, rl.Entry{Record: record})
	if err == nil {
		*i.last = state
	}
	return err
}

func (i plainMemory) RecordEvent(string) {}

func (i plainMemory) Identity() string { return i.l.Identity() }

func (i plainMemory) Describe() string { return i.l.Describe() }
