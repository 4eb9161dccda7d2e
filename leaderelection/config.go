package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"

	upstream "k8s.io/client-go/tools/leaderelection"
	upstreamlock "k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/leaderelection/witness"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// JitterFactor stretches the pauses of a candidate that polls: each is
// RetryPeriod × (1 … 1+JitterFactor).
const JitterFactor = upstream.JitterFactor

// LeaderCallbacks are called as a contender's part changes.
//
// OnStartedLeading runs in a goroutine of its own for as long as the work it
// guards; its context ends with the term, and context.Cause of it is a
// *TermEndedError that says why. When it returns early, the term goes on (work that
// it started elsewhere may still be running), and a release waits for nothing.
// The context has the values, the logger and the deadline of Run's, and where the
// end of that ended the term, the cause wraps its cause.
// When it panics, the process dies, as with any goroutine; the lease then runs
// out by itself.
//
// OnStoppedLeading is called when Run ends, also when it never led, and also
// when a term was over before the work could begin.
//
// OnNewLeader is called for each new holder that is seen, in order, one call at
// a time, and never delays the election. A release is no new holder: it is not
// called with "". While a call does not return, the
// newest holders wait for it, up to 16; older ones are left out. The last call is
// always for the newest holder.
type LeaderCallbacks = upstream.LeaderCallbacks

// LeaderElectionConfig says what is contended for, how fast, and what to do
// with it. Below, L is LeaseDuration, D is RenewDeadline, R is RetryPeriod.
//
// A leader renews R after its last renewal was sent, and its term ends
// T = max(D, min(D+R, L−R)) after it. What is left of L is the margin for clocks
// of different rates and for work to stop. For 15 s, 10 s, 2 s, T is 12 s.
type LeaderElectionConfig struct {
	// Lock is what is contended for. One whose connections cannot stall comes
	// from resourcelock.NewFromKubeconfig; any other works, and the log says once
	// what it lacks. It must not be nil, and its identity must not be empty.
	Lock rl.Interface

	// LeaseDuration (L) is how long a candidate must have seen a record unchanged
	// before it takes over: at least 500ms, more than RenewDeadline. One that is
	// no whole number of seconds is rounded up in the record, for peers that know
	// no finer one, and kept exactly in an annotation. Core components use 15s.
	LeaseDuration time.Duration
	// RenewDeadline (D) is how long a leader tries to renew before it gives up:
	// more than RetryPeriod × JitterFactor. Core components use 10s.
	RenewDeadline time.Duration
	// RetryPeriod (R) is the time between two renewals, and that between two
	// polls of a candidate which may not watch: at least 10ms. Core components use
	// 2s.
	RetryPeriod time.Duration

	// Callbacks are called as leadership comes and goes; OnStartedLeading and
	// OnStoppedLeading must be set.
	Callbacks LeaderCallbacks

	// WatchDog, where set, learns of the elector in RunOrDie and fails a health
	// check when guarded work outlives its lease.
	WatchDog *HealthzAdaptor

	// Readiness, where set, learns of the elector in RunOrDie and fails a
	// readiness check while its term is in doubt.
	Readiness *ReadyzAdaptor

	// ReleaseOnCancel gives the lease up when Run's context ends, so that another
	// leads at once: the work's context is cancelled, the lease is renewed until
	// OnStartedLeading has returned, and only then released. Work that does not
	// return within StopTimeout keeps the lease from being released; it then runs
	// out. A term that was lost is released too, where its work returns at once when
	// it is told to, and the record still names this contender.
	ReleaseOnCancel bool

	// Name names the election in metrics and health checks.
	Name string

	// Coordinated leaves the choice of leader to the API server (Coordinated
	// Leader Election, KEP-4355): the elector renews what it is given and never
	// takes a lease.
	Coordinated bool

	// StopTimeout bounds how long OnStartedLeading may take to return after its
	// context was cancelled for a release; so long the lease is renewed. Work that
	// takes longer may be overtaken once the lease has run out, unless
	// OnStoppedLeading ends the process. Zero is RenewDeadline, at least 10s.
	StopTimeout time.Duration

	// ContendAgain makes Run contend again after a lost term, once
	// OnStartedLeading has returned, until its context ends. The default is to
	// return, as client-go does, and leave a clean start to the process.
	ContendAgain bool

	// Witnesses may prove that the process which holds the lease is dead, so that
	// nobody waits for its lease: rule and limits are those of package witness. What
	// this process leaves of itself stands in the Lease with each of its writes.
	//
	// Nil is DefaultWitnesses: the kernel's word on Linux, which takes no right and no
	// request. A slice that is not nil is taken as it is, so an empty one is no witness.
	// Leave witness.Process out where the work is done by programs that this process has
	// started: they may outlive it. Each must have a name of its own. A witness that fails, hangs or panics costs
	// nothing: the lease decides, as it does for every holder that has left nothing, such
	// as client-go's elector. With Coordinated, and for a lock that is no more than an
	// Interface, no witness is asked.
	Witnesses []witness.Witness

	// Successor, where set, names who is to lead next when the lease is released, after
	// Run's context has ended with ReleaseOnCancel or by Resign: see ResignTo. It is
	// called when the work has returned, right before the release, and given a quarter of
	// RetryPeriod, at most a second and half of what is left of the term; ctx ends then.
	// Where it fails, panics, is not in time or names nobody, the lease is released for
	// all: nothing else depends on it. Package podsuccessor has one for Pods. A call that
	// hangs is not waited for, so two may be under way at once.
	Successor func(ctx context.Context) (identity string, err error)

	// SuccessorWait is for how long this contender lets one go first whom a release
	// names, counted from when it sees the release. It is never more than RetryPeriod.
	// Zero is 1s.
	SuccessorWait time.Duration

	// Priority, where set, says how much this contender is preferred to lead: from 0,
	// least, to MaxPriority, most. What is beyond counts as the nearer of the two. It is
	// asked each time that this contender might take the lease, and lets others go first
	// for a part of a second: nobody needs to know of the others. The delay is
	// (MaxPriority − priority) / MaxPriority of a second, or of RetryPeriod if that is
	// shorter; and the whole of it while Priority has not returned. Nil is MaxPriority: no
	// delay. With Coordinated it is not asked. Calls come from goroutines of their own, and
	// two may be under way at once.
	Priority func() int

	// HandoverAfter, where set, lets a contender that is preferred ask the leader to hand
	// over, once it has seen the leader's term last for so long; and the leader do so, once
	// its term has, if the other's Priority is more than its own. The leader's work stops
	// first, as by Resign (ReasonResigned), and the release names who has asked. The wish
	// stands in an annotation of the Lease, which takes no other right than the election
	// itself, and is about that term alone: a leader that does not know it, such as
	// client-go's elector, leads on. It takes a Lock that is a resourcelock.Wisher and Versioned. It must
	// be at least LeaseDuration, so that leaders do not change all the time. Zero asks
	// nobody and hands over to nobody. With Coordinated it is not regarded.
	HandoverAfter time.Duration

	// Trace is told what the elector does; nil tells nobody.
	Trace *Trace

	// Clock is where all time comes from; nil is the real clock. It may have a
	// method SinceBoot() time.Duration, the time since boot with suspension
	// counted.
	Clock clock.WithDelayedExecution
}

func (c *LeaderElectionConfig) timing() timing {
	return timing{lease: c.LeaseDuration, deadline: c.RenewDeadline, retry: c.RetryPeriod}
}

func (c *LeaderElectionConfig) validate() error {
	if err := c.timing().validate(); err != nil {
		return err
	}
	switch {
	case c.StopTimeout < 0:
		return fmt.Errorf("StopTimeout = %v: must not be negative; zero is RenewDeadline, at least 10s", c.StopTimeout)
	case c.SuccessorWait < 0:
		return fmt.Errorf("SuccessorWait = %v: must not be negative; zero is 1s, and it is never more than RetryPeriod", c.SuccessorWait)
	case c.HandoverAfter < 0 || c.HandoverAfter > 0 && c.HandoverAfter < c.LeaseDuration:
		return fmt.Errorf("HandoverAfter = %v: must be zero, for no handover to who is preferred, or at least LeaseDuration (%v)", c.HandoverAfter, c.LeaseDuration)
	case c.Callbacks.OnStartedLeading == nil:
		return errors.New("no Callbacks.OnStartedLeading is set (nil): it is the work to guard")
	case c.Callbacks.OnStoppedLeading == nil:
		return errors.New("no Callbacks.OnStoppedLeading is set (nil): a contender must act on the end of its term")
	case c.Lock == nil || isNilPointer(c.Lock):
		return errors.New("no Lock is set (nil): see resourcelock.NewFromKubeconfig")
	case lacksClient(c.Lock):
		return errors.New("the Lock is a LeaseLock without a Client (nil): see resourcelock.NewFromKubeconfig")
	case c.Lock.Identity() == "":
		return fmt.Errorf("the Lock on %s has an empty identity: it must be unique among all contenders", c.Lock.Describe())
	case c.HandoverAfter > 0 && !c.Coordinated && !canWish(c.Lock):
		return fmt.Errorf("HandoverAfter = %v: the Lock on %s has no place for a wish, being a %T; it must be a resourcelock.Wisher, as LeaseLock is", c.HandoverAfter, c.Lock.Describe(), c.Lock)
	case !utf8.ValidString(c.Lock.Identity()):
		return fmt.Errorf("the Lock on %s has the identity %q: it must be valid UTF-8, or the API stores another one", c.Lock.Describe(), c.Lock.Identity())
	}
	return nil
}

// isNilPointer reports whether lock is a pointer of some type that points to nothing.
func isNilPointer(lock rl.Interface) bool {
	v := reflect.ValueOf(lock)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// lacksClient reports whether a lock is a LeaseLock that was made without a client, this
// library's or client-go's.
func lacksClient(lock rl.Interface) bool {
	switch lock := lock.(type) {
	case *rl.LeaseLock:
		return lock.Client == nil
	case *upstreamlock.LeaseLock:
		return lock.Client == nil
	}
	return false
}

// canWish reports whether a contender can ask for the lease by a lock, or be asked.
func canWish(lock rl.Interface) bool {
	_, asks := lock.(rl.Wisher)
	_, reads := lock.(rl.Versioned)
	return asks && reads
}

// boundOf returns the time within which each call to lock returns by itself.
func boundOf(lock rl.Interface) (time.Duration, bool) {
	if bounded, ok := lock.(rl.Bounded); ok {
		return bounded.Bound()
	}
	return 0, false
}
