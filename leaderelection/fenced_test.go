package leaderelection

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// refusedBy is what the API server says where the policy of a fence refuses.
func refusedBy(policy string) *apierrors.StatusError {
	message := "ValidatingAdmissionPolicy '" + policy + "' with binding '" + policy + "' denied request: the holder is another"
	err := apierrors.NewForbidden(leases, "it", errors.New(message))
	err.ErrStatus.Kind, err.ErrStatus.APIVersion = "Status", "v1"
	err.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: message}}
	return err
}

// ofTheTest is the policy of the lease test/it, which all elections here are on.
var ofTheTest = fence.Policy(types.NamespacedName{Namespace: "test", Name: "it"})

// fencing is an API server that refuses changes by a policy, for a while or for ever.
type fencing struct {
	policy string
	until  time.Time
	mu     sync.Mutex
	bodies []string
}

func (f *fencing) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bodies = append(f.bodies, string(body))
	if !time.Now().Before(f.until) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("stored")), Request: r}, nil
	}
	answer, err := json.Marshal(refusedBy(f.policy).ErrStatus)
	return &http.Response{StatusCode: http.StatusForbidden, Body: io.NopCloser(strings.NewReader(string(answer))), Request: r}, err
}

func (f *fencing) tries() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.bodies) }

func forever() time.Time { return time.Now().Add(24 * time.Hour) }

func TestADeposedLeaderThatItsFenceRefusesStopsAtOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(500 * ms) // the next renewal is far away
		m.edit(takenBy("b"))
		began := time.Now()
		_, err := guarded(t, a.LeaderElector, &fencing{policy: ofTheTest, until: forever()}).RoundTrip(request(t, t.Context(), http.MethodPut))
		var ended *TermEndedError
		require.ErrorAs(t, err, &ended)
		assert.Equal(t, ReasonFenced, ended.Reason)
		assert.Equal(t, "b", ended.Holder)
		assert.ErrorContains(t, ended, `a fence refused a write of its work: taken by "b"`)
		assert.True(t, apierrors.IsForbidden(err), "what the fence said is part of it: %v", err)
		require.Len(t, a.runs(), 1)
		assert.Less(t, a.runs()[0].cancelled.Sub(began), 20*ms)
	})
}

// The lock's API server is silent, and another has taken over elsewhere.
func TestADeposedLeaderThatNobodyTellsButItsFenceStopsAfterARetryPeriod(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock)
		sleep(500 * ms)
		lock.with(func(l *memoryLock) { l.cut = true })
		began := time.Now()
		assert.True(t, a.Term().Fenced(refusedBy(ofTheTest)))
		sleep(20 * s)
		require.Len(t, a.runs(), 1)
		assert.WithinDuration(t, began.Add(2*s), a.runs()[0].cancelled, soon)
		assert.Equal(t, ReasonFenced, a.Term().ending().Reason)
	})
}

// staleLock reads what was there before, as from a server that is behind.
type staleLock struct {
	*memoryLock
	before rl.Snapshot
	behind bool
}

func (l *staleLock) Read(ctx context.Context) (state rl.Snapshot, err error) {
	state, err = l.memoryLock.Read(ctx)
	l.with(func(*memoryLock) {
		if l.behind {
			state = l.before
		}
	})
	return state, err
}

// Whatever becomes of the renewal that is to decide, and of the reads after it, a
// deposed leader stops.
func TestADeposedLeaderWhoseAPIFailsOrLiesStopsAfterARetryPeriod(t *testing.T) {
	for name, goesWrong := range map[string]func(*staleLock){
		"calls fail":          func(l *staleLock) { l.fail = apierrors.NewInternalError(errors.New("no leader")) },
		"calls are forbidden": func(l *staleLock) { l.fail = apierrors.NewForbidden(leases, "it", errors.New("x")) },
		"writes conflict":     func(l *staleLock) { l.fail = apierrors.NewConflict(leases, "it", errors.New("x")) },
		"reads are stale":     func(l *staleLock) { l.behind = true },
	} {
		within(t, func(t *testing.T) {
			m := newMemory()
			lock := &staleLock{memoryLock: m.lock("a")}
			lock.deaf = true // else the watch tells the truth
			a := contend(t, lock)
			sleep(500 * ms)
			lock.before = m.now()
			m.edit(takenBy("b"))
			lock.with(func(*memoryLock) { goesWrong(lock) })
			began := time.Now()
			assert.True(t, a.Term().Fenced(refusedBy(ofTheTest)), name)
			sleep(20 * s)
			require.NotEmpty(t, a.runs(), name)
			assert.LessOrEqual(t, a.runs()[0].cancelled.Sub(began), 2*s+soon, name)
			assert.Equal(t, ReasonFenced, a.Term().ending().Reason, name)
		})
	}
}

// A fence compares Pods. Where two processes have one identity, it refuses the work of
// one of them, and that is to be known by its name.
func TestAFenceDoesNotHideWhatIsToBeMended(t *testing.T) {
	for want, happens := range map[Reason]func(*memory){
		ReasonLeaseDeleted: (*memory).remove,
		ReasonSameIdentity: func(m *memory) {
			m.edit(func(s *rl.Snapshot) { s.Record.RenewTime = metav1.NewTime(s.Record.RenewTime.Add(time.Second)) })
		},
	} {
		within(t, func(t *testing.T) {
			m := newMemory()
			a := contend(t, m.lock("a"))
			sleep(500 * ms)
			happens(m)
			assert.True(t, a.Term().Fenced(refusedBy(ofTheTest)))
			sleep(s)
			assert.Equal(t, want, a.Term().ending().Reason)
		})
	}
}

// Answers that take longer than a retry period are waited for.
func TestANewLeaderOfASlowAPIThatItsFenceDoesNotKnowYetLeadsOn(t *testing.T) {
	for _, late := range []time.Duration{500 * ms, 3 * s, 5 * s} {
		within(t, func(t *testing.T) {
			a := contend(t, &lateLock{memoryLock: newMemory().lock("a"), late: late})
			sleep(2*late + ms)
			require.True(t, a.IsLeader())
			assert.True(t, a.Term().Fenced(refusedBy(ofTheTest)))
			sleep(time.Minute)
			assert.NoError(t, a.Term().Err(), "answers of %v", late)
			assert.Len(t, a.runs(), 1)
		})
	}
}

// An API server that is cut from its storage goes by what it knew.
func TestALeaderThatOneAPIServerDoesNotKnowLeadsOnAndAsksLittle(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		api := &fencing{policy: ofTheTest, until: forever()}
		rt := guarded(t, a.LeaderElector, api)
		began, before := time.Now(), len(m.states())
		for range 50 {
			response, err := rt.RoundTrip(request(t, t.Context(), http.MethodPut))
			require.NoError(t, err)
			assert.Equal(t, http.StatusForbidden, response.StatusCode)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			var status metav1.Status
			require.NoError(t, json.Unmarshal(body, &status), "its work reads it as it was sent")
		}
		took := time.Since(began)
		assert.LessOrEqual(t, took, 50*fenceBound)
		assert.LessOrEqual(t, api.tries(), 50*9)
		assert.LessOrEqual(t, len(m.states())-before, int(2*took/(2*s))+2, "twice as many renewals at most")
		assert.True(t, a.IsLeader())
	})
}

func TestARenewalThatLeftBeforeTheRefusalDoesNotSettleIt(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		lock.late = s
		a := contend(t, lock)
		sleep(3*s + 500*ms) // a renewal has been committed, and its answer is on its way
		require.True(t, a.IsLeader())
		m.edit(takenBy("b"))
		a.Term().fencedBy(refusedBy(ofTheTest))
		sleep(2 * s)
		assert.Equal(t, ReasonFenced, a.Term().ending().Reason)
		assert.Equal(t, "b", a.Term().ending().Holder)
	})
}

func TestRefusalsThatWereDisprovedAreFollowedUpAtGrowingDistances(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	began := time.Now()
	at := func(d time.Duration) instant { return instant{mono: began.Add(d), wall: began.Add(d)} }
	f := fenced{}
	assert.Zero(t, f.backoff(at(0), of), "the first")
	for disproved, pause := range map[int]time.Duration{1: 250 * ms, 2: 500 * ms, 3: s, 4: 2 * s, 5: 2 * s, 60: 2 * s} {
		f = fenced{disproved: disproved, asked: at(0)}
		assert.Equal(t, pause, f.backoff(at(0), of), "%d disproved", disproved)
		assert.Equal(t, pause-100*ms, f.backoff(at(100*ms), of), "%d disproved", disproved)
		assert.Zero(t, f.backoff(at(2*s+1), of))
		assert.Zero(t, f.disproved, "what was long ago does not count")
	}
}

// Work that writes on and is refused each time does not put off what is to be found out.
func TestRefusalsThatGoOnDoNotPutOffTheEndOfTheTerm(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		a := contend(t, lock)
		sleep(5 * s)
		require.True(t, a.IsLeader())
		lock.with(func(l *memoryLock) { l.cut = true })
		term, refused := a.Term(), time.Now()
		for term.Err() == nil {
			term.fencedBy(refusedBy("fence.test.it"))
			sleep(100 * ms)
		}
		assert.Equal(t, ReasonFenced, term.ending().Reason)
		assert.LessOrEqual(t, time.Since(refused), 2*s+200*ms)
	})
}
