package leaderelection

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// coroner is a witness of a test. It knows the dead by what they left.
type coroner struct {
	leave func(context.Context) (string, error)
	await func(ctx context.Context, testimony string) (witness.Proof, error)

	mu    sync.Mutex
	asked []string
}

func (*coroner) Name() string { return "coroner" }

func (c *coroner) Leave(ctx context.Context) (string, error) { return c.leave(ctx) }

func (c *coroner) Await(ctx context.Context, testimony string) (witness.Proof, error) {
	c.mu.Lock()
	c.asked = append(c.asked, testimony)
	c.mu.Unlock()
	return c.await(ctx, testimony)
}

func (c *coroner) questions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.asked...)
}

// leaving returns a witness that leaves a testimony and knows of nobody.
func leaving(testimony string) *coroner {
	return &coroner{
		leave: func(context.Context) (string, error) { return testimony, nil },
		await: func(ctx context.Context, _ string) (witness.Proof, error) {
			<-ctx.Done()
			return witness.Proof{}, context.Cause(ctx)
		},
	}
}

// proving returns a witness that proves after d what it is asked about.
func proving(testimony string, d time.Duration) *coroner {
	c := leaving(testimony)
	c.await = func(ctx context.Context, of string) (witness.Proof, error) {
		select {
		case <-time.After(d):
			return witness.Proof{Testimony: of, Evidence: "it was seen"}, nil
		case <-ctx.Done():
			return witness.Proof{}, context.Cause(ctx)
		}
	}
	return c
}

func with(w witness.Witness) func(*LeaderElectionConfig) {
	return func(c *LeaderElectionConfig) { c.Witnesses = []witness.Witness{w} }
}

// killed has a contender lead and its process die: it is cut off for good, and what it
// still does nobody sees.
func killed(t *testing.T, m *memory, changes ...func(*LeaderElectionConfig)) {
	t.Helper()
	lock := m.lock("dead")
	c := contend(t, lock, append([]func(*LeaderElectionConfig){with(leaving("of dead"))}, changes...)...)
	sleep(s)
	require.True(t, c.IsLeader())
	lock.with(func(l *memoryLock) { l.cut = true })
}

// howOf tells how the terms of a contender came about.
func howOf(told *[]Succession) func(*LeaderElectionConfig) {
	return func(c *LeaderElectionConfig) {
		c.Trace = &Trace{TermBegan: func(_ *Term, how Succession) { *told = append(*told, how) }}
	}
}

const groupOfDead = `{"coroner":"of dead"}`

func TestTheTestimonyOfTheHolderStandsInEachOfItsWritesAndNotInItsRelease(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), with(leaving("of a")), func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		sleep(5 * s)
		a.cancel()
		sleep(s)
		states := m.states()
		require.Len(t, states, 4)
		for _, state := range states[:3] {
			assert.Equal(t, `{"coroner":"of a"}`, state.Testimony())
		}
		assert.Empty(t, states[3].Stated.Testimony)
	})
}

func TestNobodyWaitsForAProcessThatIsProvenDead(t *testing.T) {
	within(t, func(t *testing.T) {
		m, how := newMemory(), []Succession(nil)
		killed(t, m)
		w := proving("of b", 3*s)
		began := time.Now()
		b := contend(t, m.lock("b"), with(w), howOf(&how))
		sleep(4 * s)
		require.Len(t, b.runs(), 1)
		assert.Equal(t, 3*s, b.runs()[0].from.Sub(began))
		assert.Equal(t, []Succession{SuccessionProof}, how)
		assert.Equal(t, []string{"of dead"}, w.questions())
		assert.Equal(t, `{"coroner":"of b"}`, m.now().Testimony())
	})
}

func TestARestartedProcessOfTheSameNameLeadsOnProof(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		killed(t, m)
		again := contend(t, m.lock("dead"), with(proving("of the next", 0)))
		sleep(soon)
		assert.True(t, again.IsLeader())
	})
}

func TestWithoutAProofTheLeaseDecides(t *testing.T) {
	for name, await := range map[string]func(context.Context, string) (witness.Proof, error){
		"it knows nothing": func(context.Context, string) (witness.Proof, error) { return witness.Proof{}, witness.ErrNoProof },
		"it fails":         func(context.Context, string) (witness.Proof, error) { return witness.Proof{}, errors.New("broken") },
		"it panics":        func(context.Context, string) (witness.Proof, error) { panic("broken") },
		"it hangs": func(context.Context, string) (witness.Proof, error) {
			time.Sleep(time.Hour)
			return witness.Proof{}, nil
		},
		"its proof comes too late": proving("", 20*s).await,
		"its proof is about another": func(context.Context, string) (witness.Proof, error) {
			return witness.Proof{Testimony: "of another"}, nil
		},
		"its proof is about nobody": func(context.Context, string) (witness.Proof, error) { return witness.Proof{}, nil },
		"its proof does not hold": func(_ context.Context, of string) (witness.Proof, error) {
			return witness.Proof{Testimony: of, Again: func(context.Context) error { return errors.New("alive") }}, nil
		},
		"its proof panics": func(_ context.Context, of string) (witness.Proof, error) {
			return witness.Proof{Testimony: of, Again: func(context.Context) error { panic("broken") }}, nil
		},
		"its proof hangs": func(_ context.Context, of string) (witness.Proof, error) {
			return witness.Proof{Testimony: of, Again: func(context.Context) error { time.Sleep(time.Hour); return nil }}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m, how := newMemory(), []Succession(nil)
				killed(t, m)
				seen := time.Now()
				w := leaving("of b")
				w.await = await
				b := contend(t, m.lock("b"), with(w), howOf(&how))
				sleep(20 * s)
				require.Len(t, b.runs(), 1)
				assert.Equal(t, 15*s, b.runs()[0].from.Sub(seen).Round(50*ms), "the lease, as ever")
				assert.Equal(t, []Succession{SuccessionTakeover}, how)
				assert.LessOrEqual(t, len(w.questions()), 20, "what fails is asked at a pace")
				b.cancel()
				sleep(2 * time.Hour) // what hangs is no leak of the elector's
			})
		})
	}
}

func TestAWitnessThatCannotSpeakForThisProcessCostsNothing(t *testing.T) {
	for name, leave := range map[string]func(context.Context) (string, error){
		"it fails":            func(context.Context) (string, error) { return "", errors.New("broken") },
		"it panics":           func(context.Context) (string, error) { panic("broken") },
		"it hangs":            func(context.Context) (string, error) { time.Sleep(time.Hour); return "late", nil },
		"it waits for ctx":    func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() },
		"it leaves too much":  func(context.Context) (string, error) { return string(make([]byte, witness.MaxTestimony+1)), nil },
		"it leaves no text":   func(context.Context) (string, error) { return "\xff", nil },
		"it leaves nothing":   func(context.Context) (string, error) { return "", nil },
		"it is late by a bit": func(context.Context) (string, error) { time.Sleep(500 * ms); return "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m, w := newMemory(), leaving("")
				w.leave = leave
				a := contend(t, m.lock("a"), with(w))
				sleep(100 * ms)
				assert.True(t, a.IsLeader())
				sleep(30 * s)
				assert.True(t, a.IsLeader())
				assert.Empty(t, m.now().Testimony())
				a.cancel()
				sleep(2 * time.Hour)
			})
		})
	}
}

func TestATestimonyThatComesLateGoesWithTheRenewals(t *testing.T) {
	within(t, func(t *testing.T) {
		m, w := newMemory(), leaving("")
		w.leave = func(context.Context) (string, error) { time.Sleep(s); return "of a", nil }
		contend(t, m.lock("a"), with(w))
		sleep(5 * s)
		states := m.states()
		assert.Empty(t, states[0].Testimony())
		assert.Equal(t, `{"coroner":"of a"}`, states[len(states)-1].Testimony())
	})
}

func TestAProofCountsOnlyForTheRecordThatItIsAbout(t *testing.T) {
	for name, edit := range map[string]func(*rl.Snapshot){
		"renamed by hand": func(s *rl.Snapshot) { s.Record.HolderIdentity = "c" },
		"emptied by hand": func(s *rl.Snapshot) { s.Record.HolderIdentity = "" },
		"client-go's elector has taken it": func(s *rl.Snapshot) {
			s.Record.HolderIdentity, s.Record.RenewTime = "c", metav1.NewTime(time.Now())
		},
		"client-go's elector has renewed it under that name": func(s *rl.Snapshot) { s.Record.RenewTime = metav1.NewTime(time.Now().Add(ms)) },
		"the statement was stripped":                         func(s *rl.Snapshot) { s.Stated = rl.Statement{} },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				killed(t, m)
				m.edit(edit)
				w := proving("of b", 0)
				b := contend(t, m.lock("b"), with(w))
				sleep(14 * s)
				assert.Empty(t, b.runs())
				assert.Empty(t, w.questions())
				sleep(2 * s)
				assert.Len(t, b.runs(), 1)
			})
		})
	}
}

func TestARecordOfTheDeadThatIsPutBackByHandIsNoShortcut(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		killed(t, m)
		dead := m.now()
		sleep(16 * s) // nobody was there to take over
		a := contend(t, m.lock("a"), with(leaving("of a")))
		sleep(16 * s)
		require.True(t, a.IsLeader())
		w := leaving("of b")
		w.await = func(ctx context.Context, of string) (witness.Proof, error) {
			if of == "of dead" {
				return witness.Proof{Testimony: of}, nil
			}
			<-ctx.Done()
			return witness.Proof{}, context.Cause(ctx)
		}
		b := contend(t, m.lock("b"), with(w))
		sleep(100 * ms)
		m.edit(func(s *rl.Snapshot) { // as a backup, or a careless kubectl replace, would
			s.Record, s.Stated, s.Duration = dead.Record, dead.Stated, dead.Duration
		})
		require.Equal(t, groupOfDead, m.now().Testimony())
		sleep(12 * s)
		assert.Empty(t, b.runs(), "who led before the edit may not have heard of it")
		sleep(4 * s)
		assert.Len(t, b.runs(), 1)
	})
}

func TestWhoHasWrittenSinceAProofWasNotTheDead(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), with(leaving("of a")))
		sleep(1900 * ms)
		b := &slowToCheck{coroner: leaving("of b"), at: make(chan struct{})}
		b.coroner.await = b.lie
		standby := contend(t, m.lock("b"), with(b))
		sleep(50 * ms)
		<-b.at // it is checking a proof, which is wrong
		sleep(time.Minute)
		assert.True(t, a.IsLeader(), "it has renewed since, and lives")
		assert.Empty(t, standby.runs())
		assert.Len(t, b.questions(), 2, "it was asked anew")
	})
}

// slowToCheck has one wrong proof, whose check succeeds after a moment.
type slowToCheck struct {
	*coroner
	at   chan struct{}
	once sync.Once
}

func (w *slowToCheck) lie(ctx context.Context, of string) (proof witness.Proof, err error) {
	err = witness.ErrNoProof
	w.once.Do(func() {
		err = nil
		proof = witness.Proof{Testimony: of, Again: func(context.Context) error {
			close(w.at)
			time.Sleep(500 * ms) // the holder renews meanwhile
			return nil
		}}
	})
	return proof, err
}

func TestAClaimOnAProofIsRefusedWhereTheHolderHasRenewed(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), with(leaving("of a")))
		sleep(s)
		lock := m.lock("b")
		w := leaving("of b")
		var once sync.Once
		w.await = func(ctx context.Context, of string) (proof witness.Proof, err error) {
			err = witness.ErrNoProof
			once.Do(func() { time.Sleep(2 * s); proof, err = witness.Proof{Testimony: of}, nil })
			return proof, err
		}
		b := contend(t, lock, with(w))
		sleep(100 * ms)
		lock.with(func(l *memoryLock) { l.deaf = true }) // its watch does not tell of the renewal
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
		assert.Empty(t, b.runs())
	})
}

func TestALeaderOfAnotherTestimonyIsAskedAboutAnew(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		w := leaving("of c")
		contend(t, m.lock("c"), with(leaving("first")), func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		sleep(s)
		contend(t, m.lock("d"), with(w))
		sleep(10 * s)
		assert.Equal(t, []string{"first"}, w.questions(), "once, however often it has renewed")
		m.edit(func(s *rl.Snapshot) {
			s.Record.HolderIdentity, s.Record.RenewTime = "e", metav1.NewTime(time.Now())
			s.Stated = rl.Statement{Mark: "e.1", Holder: "e", RenewTime: time.Now(), Duration: 15 * time.Second, Testimony: `{"coroner":"second"}`}
		})
		sleep(100 * ms)
		assert.Equal(t, []string{"first", "second"}, w.questions())
	})
}

func TestWitnessesAreChosen(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*LeaderElectionConfig)
		none   bool
		fault  string
	}{
		"none are those of the system": {change: func(*LeaderElectionConfig) {}, none: len(DefaultWitnesses()) == 0},
		"an empty slice is none":       {change: func(c *LeaderElectionConfig) { c.Witnesses = []witness.Witness{} }, none: true},
		"coordinated":                  {change: func(c *LeaderElectionConfig) { c.Coordinated = true }, none: true},
		"no place for a testimony":     {change: func(c *LeaderElectionConfig) { c.Lock = struct{ rl.Interface }{c.Lock} }, none: true},
		"two of a name":                {change: func(c *LeaderElectionConfig) { c.Witnesses = []witness.Witness{leaving(""), leaving("")} }, fault: `"coroner"`},
		"nil":                          {change: with(nil), fault: "field Witnesses: witness 1 of 1 is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			c := config(newMemory().lock("a"))
			c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
			test.change(&c)
			le, err := NewLeaderElector(c)
			if test.fault != "" {
				require.ErrorContains(t, err, test.fault)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.none, le.candidate.witnesses.group == nil)
		})
	}
}

func TestALeaderThatLostItsTermToARecordOfTheDeadWaits(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		killed(t, m)
		dead := m.now()
		sleep(16 * s)
		w := leaving("of a")
		w.await = func(ctx context.Context, of string) (witness.Proof, error) {
			return witness.Proof{Testimony: of}, nil
		}
		a := contend(t, m.lock("a"), with(w), func(c *LeaderElectionConfig) { c.ContendAgain = true })
		sleep(20 * s)
		require.True(t, a.IsLeader())
		m.edit(func(s *rl.Snapshot) { // another may have led and been undone as well
			s.Record, s.Stated, s.Duration = dead.Record, dead.Stated, dead.Duration
		})
		sleep(14 * s)
		assert.Len(t, a.runs(), 1)
		sleep(4 * s)
		assert.Len(t, a.runs(), 2)
	})
}
