package leaderelection

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiwait "k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A process takes part in two elections, and the work of one writes through a client
// that the other guards.
func TestAGuardAsksItsOwnElectorWhateverTermTheContextBelongsTo(t *testing.T) {
	within(t, func(t *testing.T) {
		one, two := newMemory(), newMemory()
		other := contend(t, two.lock("other")) // another process leads the second election
		sleep(s)
		require.True(t, other.IsLeader())
		a := contend(t, one.lock("a"))
		b := contend(t, two.lock("a"))
		sleep(5 * s)
		require.True(t, a.IsLeader())
		require.False(t, b.IsLeader())

		passed := 0
		api := &rest.Config{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			passed++
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})}
		transport, err := rest.TransportFor(b.Guard(api))
		require.NoError(t, err)
		ctx, cancel := workContext(t.Context(), &a.tenure, a.Term())
		defer cancel(nil)
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://api/x", http.NoBody)
		require.NoError(t, err)
		_, err = transport.RoundTrip(request)
		assert.ErrorIs(t, err, ErrNotLeader, "b does not lead")
		assert.Zero(t, passed, "requests that the guard of an elector which does not lead has let pass")
	})
}

// The other way round: the elector of an outer election has lost its term; the work of an
// inner election, which it has started, still writes through the outer one's guard.
func TestAGuardOfAnOuterElectionRefusesTheWorkOfAnInnerOne(t *testing.T) {
	within(t, func(t *testing.T) {
		outerLease, innerLease := newMemory(), newMemory()
		passed := 0
		api := &rest.Config{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			passed++
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})}
		var outer *contender
		var result error
		wrote := make(chan struct{})
		outer = contend(t, outerLease.lock("a"), func(c *LeaderElectionConfig) {
			c.Callbacks.OnStartedLeading = func(ctx context.Context) {
				cfg := config(innerLease.lock("a"))
				cfg.ReleaseOnCancel = true
				cfg.Callbacks = LeaderCallbacks{OnStoppedLeading: func() {}, OnStartedLeading: func(inner context.Context) {
					<-inner.Done() // the outer term was taken by another
					transport, _ := rest.TransportFor(outer.Guard(api))
					request, _ := http.NewRequestWithContext(context.WithoutCancel(inner), http.MethodPut, "http://api/x", http.NoBody)
					_, result = transport.RoundTrip(request) // a last write, to a Lease-guarded object
					close(wrote)
				}}
				le, _ := NewLeaderElector(cfg)
				le.Run(ctx)
			}
		})
		sleep(5 * s)
		outerLease.edit(func(st *rl.Snapshot) {
			st.Record.HolderIdentity = "b"
			st.Record.RenewTime.Time = st.Record.RenewTime.Add(time.Second)
		})
		<-wrote
		assert.ErrorIs(t, outer.Term().Err(), ErrNotLeader)
		assert.ErrorIs(t, result, ErrNotLeader, "the elector of this guard leads no more")
		assert.Zero(t, passed)
	})
}

// Run's context is one of wait.ContextForChannel, as many have it, and claims are
// answered late, so that each is recognised by the watch.
func TestATermLeavesNothingBehindInRunsContext(t *testing.T) {
	within(t, func(t *testing.T) {
		stop := make(chan struct{})
		m := newMemory()
		lock := m.lock("a")
		lock.with(func(l *memoryLock) { l.late = s / 2 })
		cfg := config(lock)
		terms := 0
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(ctx context.Context) { terms++; <-ctx.Done() }, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		done := make(chan struct{})
		go func() { defer close(done); le.Run(apiwait.ContextForChannel(stop)) }()
		sleep(10 * s)
		before := runtime.NumGoroutine()
		for range 200 {
			require.NoError(t, le.Resign(t.Context()))
			sleep(10 * s)
		}
		assert.Equal(t, 201, terms)
		assert.Less(t, runtime.NumGoroutine(), before+20, "goroutines after 200 terms, %d before", before)
		close(stop)
		<-done
	})
}

// timedOut is a lock whose claim is answered by the API server's 504 (reason Timeout:
// "the outcome is unknown") and lands after that.
type timedOut struct {
	*memoryLock
	answerAfter, landAfter time.Duration
}

func (l *timedOut) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if next.Record.HolderIdentity == "" {
		return l.commit(base, next)
	}
	time.AfterFunc(l.landAfter, func() { _, _ = l.commit(base, next) })
	time.Sleep(l.answerAfter)
	return rl.Snapshot{}, apierrors.NewTimeoutError("request did not complete within the allotted timeout", 0)
}

// A context that ends while a claim is under way leaves no record that is held by a
// contender that has gone.
func TestAClaimThatTimedOutAndLandsIsReleased(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		c := contend(t, &timedOut{m.lock("a"), 60 * time.Millisecond, 200 * time.Millisecond}, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		sleep(30 * time.Millisecond) // the claim has left
		c.cancel()
		sleep(5 * s)
		assert.Empty(t, m.now().Record.HolderIdentity, "nobody leads, and the record is held")
	})
}

// The work of an inner election may resign the outer one: it does not wait for a release
// that waits for itself.
func TestTheWorkOfAnInnerElectionMayResignTheOuterOne(t *testing.T) {
	within(t, func(t *testing.T) {
		outerLease, innerLease := newMemory(), newMemory()
		var outer *contender
		took := time.Duration(-1)
		outer = contend(t, outerLease.lock("a"), func(c *LeaderElectionConfig) {
			c.StopTimeout = time.Minute
			c.Callbacks.OnStartedLeading = func(ctx context.Context) {
				cfg := config(innerLease.lock("a"))
				cfg.ReleaseOnCancel = true
				cfg.Callbacks = LeaderCallbacks{OnStoppedLeading: func() {}, OnStartedLeading: func(inner context.Context) {
					sleep(s)
					began := time.Now()
					assert.NoError(t, outer.Resign(inner))
					took = time.Since(began)
				}}
				le, err := NewLeaderElector(cfg)
				if assert.NoError(t, err) {
					le.Run(ctx)
				}
			}
		})
		sleep(10 * s)
		assert.GreaterOrEqual(t, took, time.Duration(0), "Resign has not returned")
		assert.Less(t, took, s)
		outer.cancel()
	})
}
