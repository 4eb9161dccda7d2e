package leaderelection

import (
	"context"
	"flag"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/death"
	"github.com/holdfast-go/holdfast/internal/simulation"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

var simBudget = flag.Uint64("sim.budget", 400, "in how many worlds of the standard run TestSimulationFindsFaults must find each fault")

// fault is a fault of a kind that an elector once had or might have, put in front
// of an elector that has not.
type fault struct {
	name string
	// needs are the features without which nothing comes of it.
	needs simulation.Feature
	// alone: the worlds have no other feature, since what must meet is rare.
	alone bool
	// first is how many worlds are passed over, where the first of them are known to
	// find nothing and take long.
	first uint64
	rig   rig
	// laws are those that it breaks: one of them must be what the judge names.
	laws []string
}

// faults are all of them.
var faults = []fault{
	{
		name: "the next Run begins while the work of the last one stops", needs: simulation.RunAgain, laws: []string{"overlap", "stop timeout", "release order"},
		rig: rig{work: func(p *simulation.Process, ctx context.Context, tenure simulation.Tenure) { go p.Work(ctx, tenure) }},
	}, {
		name: "a second Run contends", needs: simulation.TwoRuns, laws: []string{"two runs", "overlap"},
		rig: rig{around: anotherElector},
	}, {
		name: "a proof about another instance is believed", needs: simulation.Witnesses, laws: []string{"patience", "overlap"},
		rig: rig{changed: func(_ *simulation.Process, c *LeaderElectionConfig) {
			for i, w := range c.Witnesses {
				c.Witnesses[i] = gullible{w}
			}
		}},
	}, {
		name: "an exit code that the runtime made up is a proof", needs: simulation.Witnesses, laws: []string{"proof"},
		rig: verdict(func(t death.PodTestimony, pod *corev1.Pod) (string, error) {
			for _, s := range containersOf(pod) {
				for _, state := range []*corev1.ContainerStateTerminated{s.State.Terminated, s.LastTerminationState.Terminated} {
					if state != nil && s.Name == t.Container && death.Says(state.Message, t.Hash) {
						return "whatever it ended with", nil
					}
				}
			}
			return death.ByPod(t, pod)
		}),
	}, {
		name: "a Pod that is gone is a proof", needs: simulation.Witnesses, laws: []string{"proof"},
		rig: verdict(func(t death.PodTestimony, pod *corev1.Pod) (string, error) {
			if pod == nil || pod.UID != t.UID {
				return "it is gone", nil
			}
			return death.ByPod(t, pod)
		}),
	}, {
		name: "the end of any instance is a proof", needs: simulation.Witnesses, laws: []string{"proof"},
		rig: verdict(func(t death.PodTestimony, pod *corev1.Pod) (string, error) {
			for _, s := range containersOf(pod) {
				if s.State.Terminated != nil && s.Name == t.Container && s.State.Terminated.ExitCode != 255 {
					return "it has ended", nil
				}
			}
			return death.ByPod(t, pod)
		}),
	}, {
		name: "the phase of a Pod is a proof", needs: simulation.Witnesses, laws: []string{"proof"},
		rig: verdict(func(t death.PodTestimony, pod *corev1.Pod) (string, error) {
			if pod != nil && pod.Status.Phase == corev1.PodFailed {
				return "it has failed", nil
			}
			return death.ByPod(t, pod)
		}),
	}, {
		name: "a word that another container quotes is a proof", needs: simulation.Witnesses, laws: []string{"proof"},
		rig: verdict(func(t death.PodTestimony, pod *corev1.Pod) (string, error) {
			for _, s := range containersOf(pod) {
				t.Container = s.Name
				if evidence, err := death.ByPod(t, pod); err == nil {
					return evidence, nil
				}
			}
			return death.ByPod(t, pod)
		}),
	}, {
		name: "a clone is taken for the machine", needs: simulation.Witnesses, laws: []string{"proof"},
		rig: rig{changed: func(p *simulation.Process, _ *LeaderElectionConfig) {
			p.SamePlace = func(a, b death.Place) bool {
				a.Identity, _, _ = strings.Cut(a.Identity, " from=")
				b.Identity, _, _ = strings.Cut(b.Identity, " from=")
				return a.Identity == b.Identity
			}
		}},
	}, {
		name: "a suspension is not noticed", needs: simulation.Suspension, laws: []string{"waking", "overlap"},
		rig: rig{clock: func(p *simulation.Process) clock.WithDelayedExecution { return steadyClock{p.Clock(), p.Clock().Now()} }},
	}, {
		name: "an emptied holder is taken for a release", needs: simulation.Emptied, laws: []string{"patience", "overlap"},
		rig: rig{lock: seeing(func(s rl.Snapshot) rl.Snapshot {
			if s.Exists() && s.Record.HolderIdentity == "" {
				s.Record.LeaseDurationSeconds, s.Duration = 1, time.Second
				s.Record.RenewTime = metav1.NewTime(time.Unix(int64(len(s.ResourceVersion)), 0))
			}
			return s
		})},
	}, {
		name: "a duration edited by hand is believed", needs: simulation.FieldEdits, first: 400, laws: []string{"patience", "overlap"},
		rig: rig{lock: seeing(func(s rl.Snapshot) rl.Snapshot {
			if s.Record.HolderIdentity != "" && s.Duration > 0 {
				s.Duration = time.Duration(s.Record.LeaseDurationSeconds) * time.Second
				s.Stated.Duration = s.Duration
				s.Stated.RenewTime, s.Stated.Holder = s.Record.RenewTime.Time, s.Record.HolderIdentity
			}
			return s
		})},
	}, {
		name: "writes of two processes look alike", needs: simulation.SharedIdentity | simulation.CoarseClocks, laws: []string{"overlap", "loss"},
		rig: rig{
			lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned { return &markless{boundOrNot{l}} },
			// The digits of a claim that no clock has are no longer its own.
			made: func(p *simulation.Process, le *LeaderElector) { le.random = func() float64 { return 0 } },
		},
	}, {
		name: "an edit by hand is taken for another process", needs: simulation.FieldEdits, laws: []string{"reason"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned { return &markless{boundOrNot{l}} }},
	}, {
		name: "a webhook is taken for another process", needs: simulation.Webhook, laws: []string{"reason", "takeover", "progress"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned { return &markless{boundOrNot{l}} }},
	}, {
		name: "whom the API prefers is not seen", needs: simulation.Coordinated, laws: []string{"loss", "appointment"},
		rig: rig{lock: seeing(func(s rl.Snapshot) rl.Snapshot {
			s.Record.PreferredHolder = ""
			return s
		})},
	}, {
		name: "a call is bounded by half of the renew deadline", needs: simulation.SlowAPI, laws: []string{"the lease is kept"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned {
			return &hasty{boundOrNot{l}, p.Timing.Deadline / 2}
		}},
	}, {
		name: "a version lower than the last is not believed", needs: simulation.Restores, laws: []string{"prompt takeover", "progress", "loss", "the lease is kept", "requests"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned { return &neverBack{boundOrNot: boundOrNot{l}} }},
	}, {
		name: "a watch begins with the same version again", needs: simulation.Compaction, laws: []string{"watch", "requests"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned { return &stubborn{boundOrNot: boundOrNot{l}} }},
	}, {
		name: "a watch that was forbidden for a moment is not tried again", needs: simulation.Refusals, alone: true, laws: []string{"watch"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned { return &offended{boundOrNot: boundOrNot{l}} }},
	}, {
		name: "what is refused is tried again at once", needs: simulation.Refusals, laws: []string{"requests"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned { return &impatient{boundOrNot{l}} }},
	}, {
		name: "what fails now and then is tried again at once", needs: simulation.Refusals, alone: true, first: 40, laws: []string{"requests"},
		rig: rig{made: func(_ *simulation.Process, le *LeaderElector) { le.allowance = nil }},
	}, {
		name: "every failure is remembered", needs: simulation.Refusals, laws: []string{"memory"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned {
			return &grudging{boundOrNot: boundOrNot{l}}
		}, made: func(p *simulation.Process, le *LeaderElector) {
			if g, ok := le.config.Lock.(*grudging); ok {
				p.Remembered = func() int { return int(g.failures.Load()) }
			}
		}},
	}, {
		name: "the recorder is waited for", needs: simulation.Blocking, laws: []string{"takeover", "length of a term", "the lease is kept", "prompt takeover", "return"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned { return &chatty{boundOrNot{l}} }},
	}, {
		name: "Run waits for calls that do not return", needs: simulation.DeafLocks, laws: []string{"return"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned {
			return &counted{boundOrNot: boundOrNot{l}, p: p}
		}, around: func(p *simulation.Process, le *LeaderElector, ctx context.Context) {
			le.Run(ctx)
			if c, ok := le.config.Lock.(*counted); ok {
				c.running.Wait()
			}
		}},
	}, {
		name: "a panic leaves the work alone", needs: simulation.Panics, laws: []string{"panic"},
		rig: rig{work: func(p *simulation.Process, ctx context.Context, tenure simulation.Tenure) {
			deaf, cancel := context.WithCancelCause(context.Background())
			context.AfterFunc(ctx, func() {
				time.AfterFunc(500*time.Microsecond, func() {
					if !p.Panicked() {
						cancel(context.Cause(ctx))
					}
				})
			})
			p.Work(deaf, tenure)
		}},
	}, {
		name: "a stopped process leads on", needs: simulation.Stops, laws: []string{"waking", "length of a term", "overlap"},
		rig: rig{work: func(p *simulation.Process, ctx context.Context, tenure simulation.Tenure) {
			late, cancel := context.WithCancelCause(context.Background())
			context.AfterFunc(ctx, func() {
				time.AfterFunc(200*time.Millisecond, func() { cancel(context.Cause(ctx)) })
			})
			p.Work(late, tenure)
		}},
	}, {
		name: "the own lease is believed, not the holder's", needs: simulation.MixedTimings, laws: []string{"patience", "overlap"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned {
			return &rewritten{boundOrNot{l}, func(s rl.Snapshot) rl.Snapshot {
				if s.Record.HolderIdentity != "" && s.Record.HolderIdentity != p.Identity {
					s.Duration, s.Record.LeaseDurationSeconds = p.Timing.Lease, rl.WholeSeconds(p.Timing.Lease)
					s.Stated = rl.Statement{}
				}
				return s
			}}
		}},
	}, {
		name: "whom a release names is not heeded", needs: simulation.Successors, laws: []string{"succession"},
		rig: rig{lock: seeing(func(s rl.Snapshot) rl.Snapshot {
			s.Stated.Successor = ""
			return s
		})},
	}, {
		name: "a successor is waited for as if it led", needs: simulation.Successors, laws: []string{"prompt takeover"},
		rig: rig{lock: func(p *simulation.Process, l rl.Versioned) rl.Versioned {
			return &rewritten{boundOrNot{l}, func(s rl.Snapshot) rl.Snapshot {
				if name := s.Successor(); name != "" && name != p.Identity {
					s.Record.HolderIdentity, s.Duration = name, p.Timing.Lease
				}
				return s
			}}
		}},
	}, {
		name: "who is less preferred goes first", needs: simulation.Priorities, laws: []string{"succession"},
		rig: rig{changed: func(_ *simulation.Process, c *LeaderElectionConfig) { c.Priority = func() int { return MaxPriority } }},
	}, {
		name: "the clock that was set is believed", needs: simulation.ClockSteps, laws: []string{"length of a term", "patience", "prompt takeover", "overlap", "waking"},
		rig: rig{clock: func(p *simulation.Process) clock.WithDelayedExecution { return wallClock{p.Clock()} }},
	},
}

// TestSimulationFindsFaults puts one fault at a time in front of the elector and
// expects the standard run to find it within its budget, or the long run, which
// has five times as many worlds, where two features must meet. Worlds that lack what
// the fault needs are counted, but not simulated: nothing comes of it there. What
// is not in the standard run yet has a world of its own.
func TestSimulationFindsFaults(t *testing.T) {
	silenceLog(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			found := map[string]int{}
			budget := *simBudget
			if bits.OnesCount64(uint64(f.needs)) > 1 {
				budget *= 5
			}
			for seed := f.first + 1; seed <= f.first+budget && !foundAny(found, f.laws); seed++ {
				options := simulation.Options{Seed: seed, Elections: electionsPerSeed, Run: f.rig.run}
				if f.alone || simulation.Standard&f.needs != f.needs {
					options.Only = f.needs
				} else if simulation.Drawn(seed)&f.needs != f.needs {
					continue
				}
				if v := simulateOne(t, options).Violation; v != nil {
					found[v.Law]++
				}
			}
			assert.True(t, foundAny(found, f.laws), "found only %v", found)
		})
	}
}

func foundAny(found map[string]int, laws []string) bool {
	return slices.ContainsFunc(laws, func(law string) bool { return found[law] > 0 })
}

// TestEveryFeatureHasAFault: a feature that finds nothing need not be there.
func TestEveryFeatureHasAFault(t *testing.T) {
	covered := simulation.HTTP | simulation.Strict // other ways to the same faults
	for _, f := range faults {
		covered |= f.needs
	}
	missing := simulation.All &^ covered
	assert.Zero(t, bits.OnesCount64(uint64(missing)), "no fault needs: %v", missing)
}
