package leaderelection

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	upstreamlock "k8s.io/client-go/tools/leaderelection/resourcelock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestADamagedLeaseIsNotTakenBeforeOurOwnDuration(t *testing.T) {
	for name, damage := range map[string]rl.Snapshot{
		"no duration":       held("old", "", 0, 0),
		"negative duration": held("old", "", 0, -15*s),
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				m.edit(func(s *rl.Snapshot) { *s = damage })
				a := contend(t, m.lock("a"))
				sleep(time.Minute)
				require.Len(t, a.runs(), 1)
				waited := a.runs()[0].from.Sub(a.began)
				assert.GreaterOrEqual(t, waited, 15*s)
				assert.LessOrEqual(t, waited, 15*s+soon)
			})
		})
	}
}

func TestARefusingAPIIsNotHammered(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("", "", 0, s.Duration+time.Second) })
		lock := &readOnlyLock{memoryLock: m.lock("a")}
		contend(t, lock)
		sleep(time.Minute)
		assert.LessOrEqual(t, lock.writes.Load(), int32(65), "about one every retry period, after a few quick ones")
		assert.GreaterOrEqual(t, lock.writes.Load(), int32(20))
	})
}

type readOnlyLock struct {
	*memoryLock
	writes atomic.Int32
}

func (l *readOnlyLock) Write(context.Context, rl.Snapshot, rl.Entry) (rl.Snapshot, error) {
	l.writes.Add(1)
	return rl.Snapshot{}, apierrors.NewForbidden(leases, "it", errors.New("no update for you"))
}

func TestBadInputIsNamed(t *testing.T) {
	good := func() LeaderElectionConfig {
		c := config(newMemory().lock("a"))
		c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
		return c
	}
	_, err := NewLeaderElector(good())
	require.NoError(t, err)
	for _, c := range []struct {
		name  string
		spoil func(*LeaderElectionConfig)
		want  string
	}{
		{"no lock", func(c *LeaderElectionConfig) { c.Lock = nil }, "no Lock is set"},
		{"a lock that is a nil pointer", func(c *LeaderElectionConfig) { c.Lock = (*rl.LeaseLock)(nil) }, "no Lock is set"},
		{"a lock without a client", func(c *LeaderElectionConfig) { c.Lock = &rl.LeaseLock{} }, "without a Client"},
		{"client-go's lock without a client", func(c *LeaderElectionConfig) { c.Lock = &upstreamlock.LeaseLock{} }, "without a Client"},
		{"empty identity", func(c *LeaderElectionConfig) { c.Lock = newMemory().lock("") }, "empty identity"},
		{"no work", func(c *LeaderElectionConfig) { c.Callbacks.OnStartedLeading = nil }, "no Callbacks.OnStartedLeading is set"},
		{"no end", func(c *LeaderElectionConfig) { c.Callbacks.OnStoppedLeading = nil }, "no Callbacks.OnStoppedLeading is set"},
		{"negative stop timeout", func(c *LeaderElectionConfig) { c.StopTimeout = -s }, "StopTimeout = -1s"},
		{"deadline beyond the lease", func(c *LeaderElectionConfig) { c.RenewDeadline = time.Minute }, "LeaseDuration = 15s: must be greater than RenewDeadline = 1m0s"},
		{"an identity that is no text", func(c *LeaderElectionConfig) { c.Lock = newMemory().lock("a\xff") }, `the identity "a\xff": it must be valid UTF-8`},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := good()
			c.spoil(&config)
			_, err := NewLeaderElector(config)
			assert.ErrorContains(t, err, c.want)
			assert.Panics(t, func() { RunOrDie(t.Context(), config) })
		})
	}
}

// slowLock was made with a bound that is longer than the lease, as Kubernetes'
// own test of coordinated elections makes its lock.
type slowLock struct{ *memoryLock }

func (slowLock) Bound() (time.Duration, bool) { return 20 * s, true }

func TestALockWhoseBoundIsLongerThanTheLeaseIsAcceptedAndItsCallsAreGivenUp(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := slowLock{newMemory().lock("a")}
		go func() {
			sleep(5 * s)
			lock.with(func(l *memoryLock) { l.cut = true })
		}()
		said, le := listen(t, lock, 40*s, func(c *LeaderElectionConfig) { c.ContendAgain = true })
		assert.Equal(t, 1, strings.Count(said, "A call to the lock may take as long as the lease"), said)
		var ended *TermEndedError
		require.ErrorAs(t, le.Term().Err(), &ended)
		assert.Equal(t, 12*s, ended.Since, "the term ended on time")
	})
}
