package leaderelection

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/simulation"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

var (
	simElections = flag.Int("sim.elections", 2000, "how many elections TestSimulation simulates")
	simSeed      = flag.Uint64("sim.seed", 0, "the one seed to simulate; 0 is as many as it takes")
	simFirst     = flag.Uint64("sim.first", 1, "the first seed of a run of many")
	simOnly      = flag.Uint64("sim.only", 0, "the features (simulation.Feature) that each world has, as one number; 0 is those of the standard run")
	simTimeline  = flag.Bool("sim.timeline", false, "print the timeline of the one seed also if nothing is wrong")
)

// electionsPerSeed is how many elections one world has. Whoever replays a seed
// needs the same.
const electionsPerSeed = 50

// replays is how often a seed that is asked for is simulated, unless it fails
// sooner: see TestASeedReplays.
const replays = 20

// TestSimulation runs electors in simulated worlds until -sim.elections terms
// have begun, and fails at the first promise that is broken in each.
func TestSimulation(t *testing.T) {
	silenceLog(t)
	if *simSeed != 0 {
		for range replays {
			result := simulateOne(t, simulation.Options{Seed: *simSeed, Elections: electionsPerSeed, Run: holdfast, Only: simulation.Feature(*simOnly)})
			if *simTimeline {
				t.Log("\n" + result.Timeline)
			}
			if v := result.Violation; v != nil {
				t.Fatalf("seed %d: %v", *simSeed, v)
			}
		}
		return
	}
	total := simulateMany(t, *simElections, simulation.Options{Run: holdfast, Only: simulation.Feature(*simOnly)}, func(t *testing.T, seed uint64, result simulation.Result) {
		if v := result.Violation; v != nil {
			t.Errorf("seed %d: %v\nreplay: go test ./leaderelection -run 'TestSimulation$' -sim.seed=%d -sim.only=%d", seed, v, seed, *simOnly)
		}
	})
	t.Log(total)
	assert.Positive(t, total.prompt, "no takeover was checked for promptness")
	assert.Positive(t, total.outlasted, "no term outlasted a fault of its network")
	assert.Empty(t, total.overlaps)
}

// simulateOne lets one world pass.
func simulateOne(t *testing.T, options simulation.Options) simulation.Result {
	var result simulation.Result
	synctest.Test(t, func(*testing.T) { result = simulation.New(options).Run() })
	return result
}

// simulateMany lets worlds pass, each with a seed of its own, until elections
// terms have begun, and shows each result to judge.
func simulateMany(t *testing.T, elections int, options simulation.Options, judge func(*testing.T, uint64, simulation.Result)) *tally {
	options.Elections = electionsPerSeed
	total := &tally{overlaps: map[simulation.Cause]int{}, ended: map[string]int{}, next: *simFirst, began: time.Now()}
	t.Run("worlds", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for options := options; total.claim(elections, &options.Seed); {
					result := simulateOne(t, options)
					judge(t, options.Seed, result)
					total.add(result)
				}
			})
		}
	})
	total.took = time.Since(total.began)
	return total
}

// tally adds up results.
type tally struct {
	mu         sync.Mutex
	next       uint64
	worlds     int
	failed     int
	elections  int
	prompt     int
	outlasted  int
	worst      time.Duration
	simulated  time.Duration
	overlaps   map[simulation.Cause]int
	ended      map[string]int
	began      time.Time
	took       time.Duration
	unfinished int
}

// tooManyFailures is when there is nothing more to learn from a run.
const tooManyFailures = 5

// claim sets seed to the next one, and is false when there have been enough.
func (s *tally) claim(elections int, seed *uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.elections+s.unfinished*electionsPerSeed >= elections || s.failed >= tooManyFailures {
		return false
	}
	*seed = s.next
	s.next++
	s.unfinished++
	return true
}

func (s *tally) add(r simulation.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unfinished--
	s.worlds++
	s.elections += r.Elections
	s.prompt += r.Prompt
	s.outlasted += r.Outlasted
	s.worst = max(s.worst, r.Worst)
	s.simulated += r.Simulated
	for cause, n := range r.Overlaps {
		s.overlaps[cause] += n
	}
	for reason, n := range r.Ended {
		s.ended[reason] += n
	}
	if r.Violation != nil {
		s.failed++
	}
}

func (s *tally) String() string {
	return fmt.Sprintf("%d elections in %d worlds, %v of simulated time, in %v (%.0f elections/min)\n"+
		"takeovers checked for promptness: %d, the slowest claim %v after it might\n"+
		"network faults that terms outlasted: %d; terms ended: %v; overlaps: %v",
		s.elections, s.worlds, s.simulated.Round(time.Second), s.took.Round(time.Millisecond),
		float64(s.elections)/s.took.Minutes(), s.prompt, s.worst, s.outlasted, s.ended, s.overlaps)
}

// holdfast runs this package's elector.
func holdfast(p *simulation.Process) { (&rig{}).run(p) }

// rig is how an elector is run in a simulation. The zero rig runs it as it is;
// one with a fault put in front of it shows whether the judge finds the fault.
type rig struct {
	clock func(*simulation.Process) clock.WithDelayedExecution
	lock  func(*simulation.Process, rl.Versioned) rl.Versioned
	work  func(*simulation.Process, context.Context, simulation.Tenure)
	// changed changes the configuration, made the elector.
	changed func(*simulation.Process, *LeaderElectionConfig)
	made    func(*simulation.Process, *LeaderElector)
	// around calls Run.
	around func(*simulation.Process, *LeaderElector, context.Context)
}

func (r *rig) run(p *simulation.Process) {
	work := (*simulation.Process).Work
	if r.work != nil {
		work = r.work
	}
	config := LeaderElectionConfig{
		Lock:          p.Lock(),
		LeaseDuration: p.Timing.Lease, RenewDeadline: p.Timing.Deadline, RetryPeriod: p.Timing.Retry,
		ReleaseOnCancel: p.Release, ContendAgain: p.Again, StopTimeout: p.StopTimeout,
		Clock: p.Clock(), Coordinated: p.Coordinated, Witnesses: p.Witnesses(),
		Successor: p.Successor(), Priority: p.Priority(), HandoverAfter: p.HandoverAfter(),
		Callbacks: LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				term, _ := TermFromContext(ctx)
				work(p, ctx, simulation.Tenure{Over: term.Done(), Token: term.FencingToken(), Reason: func() string { return reasonOf(ctx) }})
			},
			OnStoppedLeading: p.StoppedLeading,
			OnNewLeader:      p.NewLeader,
		},
	}
	if r.clock != nil {
		config.Clock = r.clock(p)
	}
	if lock, ok := config.Lock.(rl.Versioned); ok && r.lock != nil {
		config.Lock = r.lock(p, lock)
	}
	if !canWish(config.Lock) { // a fault may be put in front of a lock that can
		config.HandoverAfter = 0
	}
	if r.changed != nil {
		r.changed(p, &config)
	}
	le, err := NewLeaderElector(config)
	if err != nil {
		panic(err) // a configuration that the simulation drew and that is not valid
	}
	le.random, le.candidate.priority.wishHook = p.Random, p.Preferred()
	p.Resign, p.Remembered = le.ResignTo, le.remembered
	if r.made != nil {
		r.made(p, le)
	}
	run := func(ctx context.Context) {
		ctx = klog.NewContext(ctx, p.Logger())
		if r.around != nil {
			r.around(p, le, ctx)
			return
		}
		le.Run(ctx)
	}
	p.Twice(run)
	run(p.Context())
	for p.Another() {
		run(p.Context())
	}
}

// remembered counts what the elector remembers that failures could add to.
func (le *LeaderElector) remembered() int {
	le.writes.mu.Lock()
	writes := len(le.writes.writes)
	le.writes.mu.Unlock()
	le.reports.queue.mu.Lock()
	defer le.reports.queue.mu.Unlock()
	return writes + len(le.reports.queue.waiting)
}

// reasonOf returns why the term of a work's context has ended.
func reasonOf(ctx context.Context) string {
	var ended *TermEndedError
	if errors.As(context.Cause(ctx), &ended) {
		return string(ended.Reason)
	}
	return fmt.Sprint(context.Cause(ctx))
}

// silenceLog keeps what electors log by themselves out of the test's output.
func silenceLog(t *testing.T) {
	state := klog.CaptureState()
	klog.SetLogger(klog.Logger{})
	t.Cleanup(state.Restore)
}

// TestASeedReplays runs worlds twice and compares what happened in them. What
// happened at one and the same moment has no order. One processor runs them, so
// that goroutines that wake at the same moment do not race; what remains is that
// a preempted goroutine lets another go first, or that a select of the elector
// finds two cases ready and takes either. Such a world may go on differently.
func TestASeedReplays(t *testing.T) {
	silenceLog(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const worlds = 40
	same, previous := 0, ""
	for seed := range uint64(worlds) {
		options := simulation.Options{Seed: 1 + seed, Elections: 20, Run: holdfast}
		first, second := sortedLines(simulateOne(t, options).Timeline), sortedLines(simulateOne(t, options).Timeline)
		if first == second {
			same++
		}
		assert.NotEqual(t, previous, first, "worlds %d and %d", seed, 1+seed)
		previous = first
	}
	t.Logf("%d of %d worlds were the same", same, worlds)
	assert.GreaterOrEqual(t, same, worlds/2, "on an idle machine it is all of them")
}

func sortedLines(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
