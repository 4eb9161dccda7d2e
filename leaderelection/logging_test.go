package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// listen runs a contender and returns what it says, once that is over.
func listen(t *testing.T, lock rl.Interface, d time.Duration, changes ...func(*LeaderElectionConfig)) (said string, le *LeaderElector) {
	t.Helper()
	logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true)))
	ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
	le, ended := start(t, ctx, lock, func(ctx context.Context) { <-ctx.Done() }, changes...)
	sleep(d)
	cancel()
	<-ended
	return logger.GetSink().(ktesting.Underlier).GetBuffer().String(), le
}

// unhardened is a lock whose calls may take as long as they like.
type unhardened struct{ *memoryLock }

func (unhardened) Bound() (time.Duration, bool) { return 0, false }

func TestALockThatWasNotHardenedWorksAndItsLackIsSaidOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		go func() {
			sleep(5 * s)
			lock.with(func(l *memoryLock) { l.cut = true })
		}()
		said, le := listen(t, unhardened{lock}, 40*s)
		assert.Equal(t, 1, strings.Count(said, "was not hardened"), said)
		assert.Contains(t, said, "NewFromKubeconfig")
		var ended *TermEndedError
		require.ErrorAs(t, le.Term().Err(), &ended)
		assert.Equal(t, ReasonRenewDeadline, ended.Reason)
		assert.Equal(t, 12*s, ended.Since, "the term ended on time")

		said, _ = listen(t, newMemory().lock("a"), 5*s)
		assert.NotContains(t, said, "hardened")
	})
}

func TestAHugeDurationIsHonouredAndSaidLoudly(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("other", "", 0, 24*time.Hour) })
		said, le := listen(t, m.lock("a"), 23*time.Hour)
		assert.Nil(t, le.Term(), "nobody took over")
		assert.Equal(t, 1, strings.Count(said, "far longer than this contender's"), said)
		assert.Contains(t, said, `lease="24h0m0s"`)
	})
}

func TestThatPollingIsDoneForLackOfAVerbIsSaidOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		contend(t, m.lock("a"))
		sleep(s)
		blind := m.lock("b")
		blind.with(func(l *memoryLock) {
			l.watchErr = apierrors.NewForbidden(leases, "it", errors.New("no watch for you"))
		})
		said, _ := listen(t, blind, 2*time.Hour)
		assert.Equal(t, 1, strings.Count(said, "may not be watched"), said)
	})
}

func TestALostTermIsOneLineThatSaysWhy(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		go func() {
			sleep(5 * s)
			m.edit(takenBy("b"))
		}()
		said, _ := listen(t, m.lock("a"), 10*s)
		assert.Equal(t, 1, strings.Count(said, "Stopped leading"), said)
		assert.Contains(t, said, `lock="test/it" identity="a" term="101" reason="Taken" newHolder="b"`)
		assert.Contains(t, said, `calls=2`, "a write that was refused, and the read that said why")
	})
}

func TestALostTermThatNobodyAnsweredSaysWhatWasTried(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		go func() {
			sleep(5 * s)
			lock.with(func(l *memoryLock) { l.cut = true })
		}()
		said, le := listen(t, lock, 30*s)
		assert.Equal(t, 1, strings.Count(said, "Stopped leading"), said)
		var ended *TermEndedError
		require.ErrorAs(t, le.Term().Err(), &ended)
		n := ended.Calls // one in each retry period, but for the last, which may come as the term ends
		assert.Contains(t, []int{5, 6}, n)
		assert.Contains(t, said, fmt.Sprintf(`reason="RenewDeadline" newHolder="" sinceRenewal="12s" calls=%d err="%d of %d calls were not answered"`, n, n, n))
		assert.ErrorContains(t, ended, fmt.Sprintf("12s after its last renewal: no renewal succeeded in time, after %d calls: %d of %d calls were not answered", n, n, n))
	})
}

func TestALostTermThatWasRefusedSaysWithWhichError(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		refusal := apierrors.NewForbidden(leases, "it", errors.New("no update for you"))
		go func() {
			sleep(5 * s)
			lock.with(func(l *memoryLock) { l.fail = refusal })
		}()
		said, le := listen(t, lock, 30*s)
		assert.Equal(t, 1, strings.Count(said, "A renewal was not confirmed"), said)
		assert.Regexp(t, `Stopped leading .* reason="RenewDeadline" .* calls=\d+ err=".*no update for you"`, said)
		assert.ErrorIs(t, le.Term().Err(), refusal)
	})
}

// writeless is a lock whose writes are refused, as without a verb.
type writeless struct {
	*memoryLock
	refusal error
}

func (l writeless) Write(context.Context, rl.Snapshot, rl.Entry) (rl.Snapshot, error) {
	return rl.Snapshot{}, l.refusal
}

func TestThatALeaseMayNotBeCreatedIsSaidAtOnceAndThenOnceAMinute(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := writeless{newMemory().lock("a"), apierrors.NewForbidden(leases, "it", errors.New("no create for you"))}
		said, _ := listen(t, lock, s)
		assert.Equal(t, 1, strings.Count(said, "Could not take the lease"), said)
		assert.Contains(t, said, "no create for you")

		said, _ = listen(t, lock, 10*time.Minute)
		assert.Equal(t, 10, strings.Count(said, "Could not take the lease"), said)
		assert.Contains(t, said, "failures=1", "the first")
		assert.Regexp(t, `failures=\d\d`, said, "a later one stands for those before it")
	})
}

// A server may give another reason in words each time. What is remembered of them
// does not grow.
func TestReasonsThatAServerMakesUpAreNotRemembered(t *testing.T) {
	var c failureLog
	said := 0
	for i := range 10000 {
		err := &apierrors.StatusError{ErrStatus: metav1.Status{Code: 500, Reason: metav1.StatusReason(fmt.Sprint("Reason", i))}}
		if _, due := c.due(after(time.Duration(i)*ms), "take", err); due {
			said++
		}
	}
	assert.Len(t, c.logged, 1)
	assert.Equal(t, 1, said, "in ten seconds")
}

func TestWhoeverWasSlowerDoesNotComplain(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		slow := overtaken{m.lock("a"), func() { m.edit(takenBy("b")) }}
		said, _ := listen(t, slow, s)
		assert.NotContains(t, said, "Could not", said)
	})
}

// overtaken is a lock with whose writes another is always faster.
type overtaken struct {
	*memoryLock
	overtake func()
}

func (l overtaken) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.overtake()
	return l.memoryLock.Write(ctx, base, next)
}

func TestThatALeaseCannotBeReadIsSaidWhenTheReasonChangesAndElseOnceAMinute(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		lock.fail = apierrors.NewForbidden(leases, "it", errors.New("no get for you"))
		go func() {
			sleep(30 * s)
			lock.with(func(l *memoryLock) { l.fail = errors.New("connection refused") })
		}()
		said, _ := listen(t, lock, 50*s)
		assert.Equal(t, 1, strings.Count(said, "no get for you"), said)
		assert.Equal(t, 1, strings.Count(said, "connection refused"), said)
		assert.Equal(t, 2, strings.Count(said, "Could not read the lease"), said)
	})
}

func TestACandidateThatSeesNothingWhenItMayTakeOverSaysSo(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("other", "", 0, 15*time.Second) })
		lock := m.lock("a")
		go func() {
			sleep(14 * s)
			lock.with(func(l *memoryLock) { l.fail = errors.New("connection refused") })
		}()
		said, _ := listen(t, lock, 20*s)
		assert.Equal(t, 1, strings.Count(said, "Could not read the lease"), said)
		assert.Contains(t, said, "connection refused")
	})
}

func TestARenewalThatIsRefusedAgainAndAgainIsSpokenOfTwice(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		go func() {
			sleep(5 * s)
			lock.with(func(l *memoryLock) { l.fail = apierrors.NewTooManyRequests("slow down", 1) })
			sleep(6 * s)
			lock.with(func(l *memoryLock) { l.fail = nil })
		}()
		said, le := listen(t, lock, 30*s)
		assert.Equal(t, 1, strings.Count(said, "A renewal was not confirmed"), said)
		assert.Equal(t, 1, strings.Count(said, "The renewal succeeded after all"), said)
		var ended *TermEndedError
		require.ErrorAs(t, le.Term().Err(), &ended)
		assert.Equal(t, ReasonCancelled, ended.Reason)
		assert.NoError(t, ended.Err)
	})
}

func TestCoordinatedLeavesTheChoiceToTheAPIServer(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		coordinated := func(c *LeaderElectionConfig) { c.Coordinated = true }
		a := contend(t, m.lock("a"), coordinated)
		sleep(time.Minute)
		assert.Empty(t, a.runs(), "it takes nothing, not even a Lease that does not exist")

		m.edit(func(s *rl.Snapshot) {
			*s = held("a", "", time.Since(epoch), 15*time.Second)
			s.Record.Strategy = "OldestEmulationVersion"
		})
		sleep(s)
		require.True(t, a.IsLeader(), "it was appointed")
		sleep(time.Minute)
		assert.True(t, a.IsLeader(), "and renews")
		assert.EqualValues(t, "OldestEmulationVersion", m.now().Record.Strategy)

		m.edit(func(s *rl.Snapshot) { s.Record.PreferredHolder = "b" })
		sleep(3 * s)
		assert.False(t, a.IsLeader())
		assert.Equal(t, ReasonEndOfTerm, a.why(t).Reason)
		assert.Equal(t, "b", a.why(t).Holder)
	})
}

func TestAnOnlookerThatCannotReadTheLeaseSaysSoOnceAMinute(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		lock.fail = apierrors.NewForbidden(leases, "it", errors.New("no get"))
		cfg := config(lock)
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true)))
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
		defer cancel()
		leaders := le.Observe(ctx)
		sleep(5*time.Minute + 10*s)
		lock.with(func(l *memoryLock) { l.fail = nil })
		lock.edit(takenBy("first"))
		assert.Equal(t, "first", (<-leaders).Holder)
		said := logger.GetSink().(ktesting.Underlier).GetBuffer().String()
		assert.Equal(t, 6, strings.Count(said, "Could not read the lease"), said)
		assert.Contains(t, said, `lock="test/it" identity="a"`)
	})
}
