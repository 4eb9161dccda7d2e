package leaderelection

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	clocktesting "k8s.io/utils/clock/testing"
)

// sink answers every request and notes the deadline it came with.
type sink struct{ served []string }

func (s *sink) RoundTrip(r *http.Request) (*http.Response, error) {
	s.served = append(s.served, r.Method)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func request(t *testing.T, ctx context.Context, method string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://198.18.0.1/api/v1/namespaces/default/configmaps", strings.NewReader("{}"))
	require.NoError(t, err)
	return r
}

func guarded(t *testing.T, le *LeaderElector, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	rt, err := rest.HTTPWrappersForConfig(le.Guard(&rest.Config{}), next)
	require.NoError(t, err)
	return rt
}

func TestAGuardRefusesChangesBeforeAnyTerm(t *testing.T) {
	cfg := config(newMemory().lock("a"))
	cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
	le, err := NewLeaderElector(cfg)
	require.NoError(t, err)
	to := &sink{}
	_, err = guarded(t, le, to).RoundTrip(request(t, t.Context(), http.MethodPut))
	assert.ErrorIs(t, err, ErrNotLeader)
	assert.Empty(t, to.served)
}

func TestAGuardLetsChangesPassOnlyWithinTheTerm(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		var work context.Context
		a := contend(t, lock, func(c *LeaderElectionConfig) {
			c.ContendAgain = true
			wrapped := c.Callbacks.OnStartedLeading
			c.Callbacks.OnStartedLeading = func(ctx context.Context) {
				if work == nil {
					work = ctx
				}
				wrapped(ctx)
			}
		})
		to := &sink{}
		rt := guarded(t, a.LeaderElector, to)
		try := func(ctx context.Context, method string) error {
			response, err := rt.RoundTrip(request(t, ctx, method))
			if err == nil {
				assert.NoError(t, response.Body.Close())
			}
			return err
		}
		assert.NoError(t, try(t.Context(), http.MethodGet), "reads pass")
		sleep(s)
		assert.NoError(t, try(t.Context(), http.MethodPut))
		assert.NoError(t, try(work, http.MethodPatch))
		term, ok := TermFromContext(work)
		require.True(t, ok)
		assert.Equal(t, a.Term(), term)
		assert.Equal(t, "a", term.Holder())
		assert.Equal(t, "101", term.FencingToken())

		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(30 * s)
		assert.ErrorIs(t, try(t.Context(), http.MethodDelete), ErrNotLeader)
		lock.with(func(l *memoryLock) { l.cut = false })
		sleep(10 * s)
		require.True(t, a.IsLeader(), "a second term")
		assert.NoError(t, try(t.Context(), http.MethodPost))
		err := try(context.WithoutCancel(work), http.MethodPost)
		assert.ErrorIs(t, err, ErrNotLeader, "work left over from the first term")
		var ended *TermEndedError
		require.ErrorAs(t, err, &ended)
		assert.Equal(t, ReasonRenewDeadline, ended.Reason)
		assert.Equal(t, []string{"GET", "PUT", "PATCH", "POST"}, to.served)
	})
}

// mute never answers.
type mute struct{}

func (mute) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestAGuardedRequestIsGivenUpWithTheTerm(t *testing.T) {
	within(t, func(t *testing.T) {
		a := contend(t, newMemory().lock("a"))
		sleep(s)
		ends := a.Term().End()
		_, err := guarded(t, a.LeaderElector, mute{}).RoundTrip(request(t, t.Context(), http.MethodPut))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, ends, time.Now(), "the end of the term as it stood when the request was sent")
	})
}

// sleeper is a clock whose machine can be suspended: the time since boot goes
// on, the monotonic clock does not.
type sleeper struct {
	*clocktesting.FakeClock
	asleep time.Duration
	boot   time.Time
}

func (c *sleeper) SinceBoot() time.Duration { return c.Now().Sub(c.boot) + c.asleep }

func TestATermIsInDoubtAfterASuspensionUntilARenewalSettlesIt(t *testing.T) {
	clk := &sleeper{FakeClock: clocktesting.NewFakeClock(epoch), boot: epoch}
	now := timepiece{clk}.now()
	term := &Term{lock: "test/it", length: 12 * s, clock: timepiece{clk}, doubted: make(chan struct{}, 1), done: make(chan struct{}), sent: now}
	clk.Step(s)
	assert.NoError(t, term.Err())
	clk.asleep = time.Minute
	assert.ErrorContains(t, term.Err(), "in doubt")
	assert.ErrorIs(t, term.Err(), ErrNotLeader)
	assert.Len(t, term.doubted, 1, "a renewal is asked for")
	assert.Equal(t, 11*s, term.rest(timepiece{clk}.now()), "the work goes on meanwhile")
	term.extend(timepiece{clk}.now(), timing{15 * s, 10 * s, 2 * s})
	assert.NoError(t, term.Err())
	clk.Step(12 * s)
	assert.ErrorContains(t, term.Err(), "is over")
}

// suspending is a real clock, virtual in a bubble, of a machine that has slept.
type suspending struct {
	realClock
	began  time.Time
	asleep *atomic.Int64
}

func (c suspending) SinceBoot() time.Duration {
	return time.Since(c.began) + time.Duration(c.asleep.Load())
}

func TestALeaderThatWakesUpRenewsAtOnceOrStops(t *testing.T) {
	for _, c := range []struct {
		name   string
		happen func(m *memory)
		leads  bool
		reason Reason
	}{
		{"nobody led meanwhile", func(*memory) {}, true, ""},
		{"another took over", func(m *memory) { m.edit(takenBy("b")) }, false, ReasonTaken},
	} {
		t.Run(c.name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
				a := contend(t, m.lock("a"), func(cfg *LeaderElectionConfig) { cfg.Clock = clk })
				sleep(s)
				c.happen(m)
				clk.asleep.Store(int64(time.Minute))
				err := a.Term().Err()
				assert.ErrorContains(t, err, "in doubt")
				sleep(ms)
				assert.Equal(t, c.leads, a.IsLeader())
				if !c.leads {
					assert.Equal(t, c.reason, a.why(t).Reason)
				}
			})
		})
	}
}

func TestATermInDoubtEndsIfNoAnswerComes(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		a := contend(t, lock, func(cfg *LeaderElectionConfig) { cfg.Clock = clk })
		sleep(s)
		lock.with(func(l *memoryLock) { l.cut = true })
		clk.asleep.Store(int64(time.Minute))
		sleep(12 * s)
		assert.Equal(t, ReasonInDoubt, a.why(t).Reason)
	})
}

// A suspension whose end leaves some of the term is known of long before the term
// ends, so there is nothing to be in doubt about then.
func TestATermEndsOnTimeAfterAShortSuspension(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		a := contend(t, lock, func(cfg *LeaderElectionConfig) { cfg.Clock = clk })
		sleep(s)
		sent := a.Term().lastSent().wall
		lock.with(func(l *memoryLock) { l.cut = true })
		clk.asleep.Store(int64(4 * s))
		sleep(12 * s)
		assert.Equal(t, ReasonInDoubt, a.why(t).Reason)
		assert.Equal(t, sent.Add(12*s-4*s), a.runs()[0].cancelled, "T is 12 s, of which it has slept four")
	})
}

// A Lease that is gone after a long suspension says nothing of who has taken it
// meanwhile.
func TestALeaseDeletedDuringASuspensionIsWaitedFor(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		a := contend(t, m.lock("a"), func(cfg *LeaderElectionConfig) { cfg.Clock, cfg.ContendAgain = clk, true })
		sleep(s)
		m.remove()
		clk.asleep.Store(int64(time.Minute))
		sleep(10 * s)
		require.Equal(t, ReasonLeaseDeleted, a.why(t).Reason)
		assert.Len(t, a.runs(), 1, "another may hold it by now")
		sleep(10 * s)
		assert.Len(t, a.runs(), 2, "nobody does")
	})
}

// An answer that switches protocols is a connection, which the caller writes to.
func TestAGuardLeavesAConnectionAConnection(t *testing.T) {
	within(t, func(t *testing.T) {
		a := contend(t, newMemory().lock("a"))
		sleep(s)
		here, there := net.Pipe()
		defer here.Close()
		guard := guarded(t, a.LeaderElector, answers(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: there}
		}))
		response, err := guard.RoundTrip(request(t, t.Context(), http.MethodPost))
		require.NoError(t, err)
		conn, both := response.Body.(io.ReadWriteCloser)
		require.True(t, both)
		go func() { _, _ = conn.Write([]byte("hello")) }()
		got := make([]byte, 5)
		_, err = io.ReadFull(here, got)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(got))
		require.NoError(t, response.Body.Close())
	})
}

// client-go runs a command in a Pod by GET, over a websocket.
func TestAGuardRefusesAWayIntoAPodOutsideOfTheTerm(t *testing.T) {
	within(t, func(t *testing.T) {
		cfg := config(newMemory().lock("a"))
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		guard := guarded(t, le, answers(func(*http.Request) *http.Response {
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
		}))
		for path, refused := range map[string]bool{
			"/api/v1/namespaces/n/pods/p/exec":           true,
			"/api/v1/namespaces/n/pods/p/attach":         true,
			"/api/v1/namespaces/n/pods/p/portforward":    true,
			"/api/v1/namespaces/n/pods/p/log":            false,
			"/api/v1/namespaces/n/pods/exec":             false,
			"/api/v1/namespaces/n/configmaps/attach":     false,
			"/apis/example.com/v1/namespaces/n/x/a/exec": true, // of an extension, which runs something too
			"/api/v1/namespaces/n/pods/p/proxy/":         false,
		} {
			r := request(t, t.Context(), http.MethodGet)
			r.URL.Path = path
			_, err := guard.RoundTrip(r)
			assert.Equal(t, refused, errors.Is(err, ErrNotLeader), path)
		}
	})
}

// answers is a transport that answers without a network.
type answers func(*http.Request) *http.Response

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }
