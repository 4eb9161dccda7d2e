package simulation

import (
	"math/bits"
	"math/rand/v2"
	"strings"
)

// Feature is something that a world may have in it beside crashes, a bad network
// and dead watches, which are in every world. Features are combined with |.
type Feature uint64

const (
	// Stops: processes are stopped and go on (SIGSTOP, SIGCONT; a virtual machine
	// that is not scheduled). Monotonic time passes meanwhile, and timers that were
	// due fire all at once.
	Stops Feature = 1 << iota
	// Suspension: machines are suspended. Monotonic time stands still meanwhile,
	// with the timers; boot and wall time leap.
	Suspension
	// ClockSteps: wall clocks are set, forward and back.
	ClockSteps
	// CoarseClocks: clocks advance by 1 ms or 15 ms at a time, and show the same
	// on all hosts.
	CoarseClocks
	// SharedIdentity: two hosts contend under one identity.
	SharedIdentity
	// RunAgain: an elector that has returned is run again, with another context.
	RunAgain
	// TwoRuns: an elector that runs is run a second time.
	TwoRuns
	// MixedTimings: contenders have different durations.
	MixedTimings
	// SlowAPI: all answers take the same time, up to nearly half a term.
	SlowAPI
	// Refusals: the API refuses verbs for a while, with and without a reason.
	Refusals
	// Restores: the API is restored from a backup, and resource versions go
	// backwards.
	Restores
	// Compaction: watches from old versions are answered 410 Gone, whatever is
	// asked again.
	Compaction
	// FieldEdits: every field of the Lease is edited by hand, and its annotations
	// are stripped.
	FieldEdits
	// Emptied: the holder is emptied by hand, with and without the renew time.
	Emptied
	// Webhook: a mutating webhook rewrites each write: the renew time, the
	// duration (to a longer one, or to a shorter one that bears no annotations any
	// more), or the case of the identity.
	Webhook
	// Coordinated: the API server chooses who leads, and prefers another at times.
	Coordinated
	// Blocking: callbacks and the recorder of events block for some leases.
	Blocking
	// Panics: the recorder of events and the logger panic.
	Panics
	// DeafLocks: calls to the lock do not end with their context.
	DeafLocks
	// HTTP: the locks are those of a resourcelock.Factory, with their watch, over
	// round trips in the bubble.
	HTTP
	// Strict: the judge also holds a contender to a claim of its own that its watch
	// shows, to a claim that it gave up, to what it remembers, and to promptness on
	// coarse clocks.
	Strict
	// Witnesses: contenders leave a testimony, and witnesses prove deaths at once, late,
	// never, or those of another instance: somebody outside who knows, the kernel of
	// their network namespace (which may be used again, or be that of a clone), and
	// kubelets, which lag, leave out and report what is not so.
	Witnesses
	// Successors: a release names who is to lead next, who may be dead, die in that
	// very moment, or never have been.
	Successors
	// Priorities: contenders are preferred more or less, and otherwise each time.
	Priorities
	features
)

var featureNames = [...]string{
	"stops", "suspension", "clock steps", "coarse clocks", "shared identity", "run again", "two runs", "mixed timings",
	"slow API", "refusals", "restores", "compaction", "field edits", "emptied holders", "webhook", "coordinated",
	"blocking", "panics", "deaf locks", "HTTP", "strict", "witnesses", "successors", "priorities",
}

// All are all features.
const All = features - 1

// Standard are the features that a world draws from when it is not told what to
// have.
const Standard = All

func (f Feature) String() string {
	var names []string
	for i, name := range featureNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// some draws features of f: none in one world of four, else one to three.
func (f Feature) some(random *rand.Rand) Feature {
	drawn := Feature(0)
	for range random.IntN(4) {
		drawn |= f.one(random)
	}
	return drawn
}

// one draws one of the features of f.
func (f Feature) one(random *rand.Rand) Feature {
	if f == 0 {
		return 0
	}
	for skip := random.IntN(bits.OnesCount64(uint64(f))); skip > 0; skip-- {
		f &= f - 1
	}
	return f & -f
}
