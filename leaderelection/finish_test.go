package leaderelection

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// lastRenewed is a leadership without its loop whose lease stands in its lock, renewed so
// long ago.
func lastRenewed(t *testing.T, ago time.Duration, changes ...func(*LeaderElectionConfig)) (l *leadership, lock *memoryLock, says func() string) {
	l, says = sayingLeadership(t, changes...)
	lock = l.tenure.lock.(*memoryLock)
	sent := l.election.clock.now()
	state, err := lock.commit(rl.Snapshot{}, l.election.writes.add(claim("a", rl.Snapshot{}, l.timing.lease, sent.wall, 0), l.timing.lease, sent))
	require.NoError(t, err)
	l.election.writes.settle(state)
	l.begin(&acquisition{state: state, sent: sent})
	sleep(ago)
	return l, lock, says
}

func releases(does bool) func(*LeaderElectionConfig) {
	return func(c *LeaderElectionConfig) { c.ReleaseOnCancel = does }
}

func TestWhichLostTermsAreReleased(t *testing.T) {
	early := func(l *leadership) { l.returnedEarly = true }
	resigned := func(l *leadership) { // 4.9 s of 5 ago
		l.config.stopTimeout = 5 * s
		l.stopReason, l.stopRequested = &TermEndedError{Reason: ReasonResigned}, instant{mono: time.Now().Add(-4900 * ms)}
	}
	none := func(l *leadership) { l.work = nil }
	for name, test := range map[string]struct {
		reason   Reason
		releases bool
		before   func(*leadership)
		stops    time.Duration
		want     bool
	}{
		"the work stops at once":                 {reason: ReasonRenewDeadline, releases: true, want: true},
		"it stops in a quarter of its time":      {reason: ReasonRenewDeadline, releases: true, stops: 750*ms - 1, want: true},
		"it stops later":                         {reason: ReasonRenewDeadline, releases: true, stops: 751 * ms},
		"much later":                             {reason: ReasonRenewDeadline, releases: true, stops: 2 * s},
		"it had returned before":                 {reason: ReasonRenewDeadline, releases: true, before: early},
		"there is none":                          {reason: ReasonRenewDeadline, releases: true, before: none, want: true},
		"nothing is to be released":              {reason: ReasonRenewDeadline},
		"another holds it":                       {reason: ReasonTaken, releases: true},
		"resigned before, in the rest of that":   {reason: ReasonRenewDeadline, releases: true, before: resigned, stops: 99 * ms, want: true},
		"resigned before, and took longer still": {reason: ReasonRenewDeadline, releases: true, before: resigned, stops: 200 * ms},
	} {
		within(t, func(t *testing.T) {
			l, lock, says := lastRenewed(t, 12*s, releases(test.releases))
			done := l.work.done
			go func() { time.Sleep(test.stops); close(done) }()
			if test.stops == 0 {
				<-done
			}
			if test.before != nil {
				test.before(l)
			}
			l.term.end(&TermEndedError{Reason: test.reason})
			l.finish(t.Context())
			assert.Equal(t, test.want, lock.now().Record.HolderIdentity == "", name)
			assert.Equal(t, test.want, says() != "", "%s: %s", name, says())
			<-done
		})
	}
}

func TestTheReleaseOfALostTermIsOverBeforeTheLeaseIs(t *testing.T) {
	longer := func(c *LeaderElectionConfig) { c.ReleaseOnCancel, c.RenewDeadline = true, 14*s }
	within(t, func(t *testing.T) {
		l, lock, says := lastRenewed(t, 14*s, longer)
		close(l.work.done)
		lock.cut = true
		l.term.end(&TermEndedError{Reason: ReasonRenewDeadline})
		began := time.Now()
		l.finish(t.Context())
		assert.Equal(t, s, time.Since(began), "of a retry period of two")
		assert.Contains(t, says(), "Could not release")
	})
	within(t, func(t *testing.T) {
		l, lock, says := lastRenewed(t, 15*s, longer)
		close(l.work.done)
		l.term.end(&TermEndedError{Reason: ReasonRenewDeadline})
		l.finish(t.Context())
		assert.Empty(t, says(), "it is over")
		assert.Equal(t, "a", lock.now().Record.HolderIdentity)
	})
}

// All that comes after the work has stopped takes a retry period at most.
func TestANameThatIsWaitedForIsPartOfTheTimeOfARelease(t *testing.T) {
	for _, ago := range []time.Duration{s, 11 * s} {
		within(t, func(t *testing.T) {
			l, lock, says := lastRenewed(t, ago, func(c *LeaderElectionConfig) {
				c.Successor = func(ctx context.Context) (string, error) { <-ctx.Done(); return "b", nil }
			})
			lock.cut = true
			l.stopReason, l.release = &TermEndedError{Reason: ReasonResigned}, true
			l.term.end(l.stopReason)
			began := time.Now()
			l.finish(t.Context())
			assert.Equal(t, min(1800*ms, 12*s-ago), time.Since(began))
			assert.Contains(t, says(), "Could not release")
		})
	}
}

func TestWhatIsSaidOfARelease(t *testing.T) {
	kept := errors.New("it still works")
	for name, test := range map[string]struct {
		release bool
		kept    error
		says    string
		told    error
	}{
		"released":          {release: true, says: "Released the lease"},
		"kept from it":      {kept: kept, says: "Did not release the lease", told: kept},
		"nothing to say of": {},
	} {
		within(t, func(t *testing.T) {
			l, lock, says := lastRenewed(t, s)
			told := make(chan error, 1)
			l.resigned = []resignation{{done: told}}
			l.stopReason, l.release, l.notReleased = &TermEndedError{Reason: ReasonCancelled}, test.release, test.kept
			l.term.end(l.stopReason)
			l.finish(t.Context())
			assert.Equal(t, test.release, lock.now().Record.HolderIdentity == "", name)
			assert.Equal(t, test.says == "", says() == "", "%s: %s", name, says())
			assert.Contains(t, says(), test.says, name)
			assert.Equal(t, test.told, <-told, name)
		})
	}
}
