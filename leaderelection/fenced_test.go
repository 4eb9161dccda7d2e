package leaderelection

import (
	"bytes"
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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor"
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

func TestANewLeaderThatItsFenceDoesNotKnowYetWritesAgain(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(0)
		require.True(t, a.IsLeader())
		api := &fencing{policy: ofTheTest, until: time.Now().Add(167 * ms)}
		began := time.Now()
		response, err := guarded(t, a.LeaderElector, api).RoundTrip(request(t, t.Context(), http.MethodPut))
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, response.StatusCode)
		require.NoError(t, response.Body.Close())
		assert.Less(t, time.Since(began), 400*ms)
		for _, body := range api.bodies {
			assert.Equal(t, "{}", body, "each of %d tries sends the whole", api.tries())
		}
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
	})
}

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

// What listens to the fence alone refuses nothing.
func TestAListenerToTheFenceLetsStandbysWrite(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(s)
		var elector *LeaderElector
		api := &fencing{policy: ofTheTest, until: forever()}
		listens := FenceWrapper(func() *LeaderElector { return elector })(api)
		for _, le := range []*LeaderElector{nil, b.LeaderElector} {
			elector = le
			response, err := listens.RoundTrip(request(t, t.Context(), http.MethodPut))
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, http.StatusForbidden, response.StatusCode)
		}
		assert.Equal(t, 2, api.tries(), "nothing is sent again")
		elector = a.LeaderElector
		api.until = time.Now().Add(50 * ms)
		response, err := listens.RoundTrip(request(t, t.Context(), http.MethodPut))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode)

		sleep(2 * s)
		m.edit(takenBy("b"))
		api.until = forever()
		_, err = listens.RoundTrip(request(t, t.Context(), http.MethodPut))
		require.ErrorIs(t, err, ErrNotLeader)
		require.True(t, apierrors.IsForbidden(err))
	})
}

func TestARequestOfTheWorkNeedsNoElectorToListenToTheFence(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		var work context.Context
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
			wrapped := c.Callbacks.OnStartedLeading
			c.Callbacks.OnStartedLeading = func(ctx context.Context) { work = ctx; wrapped(ctx) }
		})
		sleep(s)
		m.edit(takenBy("b"))
		listens := FenceWrapper(nil)(&fencing{policy: ofTheTest, until: forever()})
		response, err := listens.RoundTrip(request(t, t.Context(), http.MethodPut))
		require.NoError(t, err, "it is no request of the work's")
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusForbidden, response.StatusCode)
		require.True(t, a.IsLeader())
		_, err = listens.RoundTrip(request(t, context.WithoutCancel(work), http.MethodPut))
		require.ErrorIs(t, err, ErrNotLeader)
		assert.Equal(t, ReasonFenced, a.Term().ending().Reason)
	})
}

func TestWhatIsNoRefusalByTheFencePasses(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		other := fence.Policy(types.NamespacedName{Namespace: "test", Name: "another"})
		api := &fencing{policy: other, until: forever()}
		response, err := guarded(t, a.LeaderElector, api).RoundTrip(request(t, t.Context(), http.MethodPut))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusForbidden, response.StatusCode)
		assert.Equal(t, 1, api.tries())
		assert.False(t, a.Term().Fenced(refusedBy(other)))
		assert.False(t, a.Term().Fenced(nil))
		assert.False(t, (&Term{lock: "of one's own", refused: make(chan error, 1)}).Fenced(refusedBy(ofTheTest)))

		streamed := request(t, t.Context(), http.MethodPut)
		streamed.GetBody = nil
		api = &fencing{policy: ofTheTest, until: forever()}
		response, err = guarded(t, a.LeaderElector, api).RoundTrip(streamed)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, 1, api.tries(), "it cannot be sent again")
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
	})
}

func forbidden(r *http.Request, body io.Reader) *http.Response {
	return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: io.NopCloser(body), Request: r}
}

// Where a change cannot be sent again, or its caller has gone, its caller gets what
// there is, at once.
func TestARefusedChangeIsSentAgainOnlyWhereThatCanBe(t *testing.T) {
	within(t, func(t *testing.T) {
		a := contend(t, newMemory().lock("a"))
		sleep(s)
		try := func(r *http.Request, next http.RoundTripper) (*http.Response, error) {
			began := time.Now()
			response, err := guarded(t, a.LeaderElector, next).RoundTrip(r)
			assert.LessOrEqual(t, time.Since(began), 5*ms)
			if err == nil {
				t.Cleanup(func() { assert.NoError(t, response.Body.Close()) })
			}
			return response, err
		}

		broken := request(t, t.Context(), http.MethodPut)
		broken.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		api := &fencing{policy: ofTheTest, until: forever()}
		response, err := try(broken, api)
		require.NoError(t, err)
		assert.Equal(t, http.StatusForbidden, response.StatusCode)
		assert.Equal(t, 1, api.tries(), "a body that cannot be had again")

		ctx, cancel := context.WithCancel(t.Context())
		reopened, closed := 0, 0
		ends := request(t, ctx, http.MethodPut)
		ends.GetBody = func() (io.ReadCloser, error) {
			reopened++
			return closer{strings.NewReader("{}"), func() { closed++ }}, nil
		}
		api = &fencing{policy: ofTheTest, until: forever()}
		time.AfterFunc(5*ms, cancel)
		_, err = try(ends, api)
		require.ErrorIs(t, err, context.Canceled, "the caller has gone")
		require.True(t, fence.Refused(err, types.NamespacedName{Namespace: "test", Name: "it"}), "and learns what the answer was: %v", err)
		assert.NotErrorIs(t, err, ErrNotLeader)
		assert.Equal(t, 1, api.tries())
		assert.Equal(t, reopened, closed, "each body is closed")

		text, err := json.Marshal(refusedBy(ofTheTest).ErrStatus)
		require.NoError(t, err)
		tries := 0
		for what, body := range map[string]string{"too long": string(text[:len(text)-1]) + strings.Repeat(" ", longestStatus) + "}", "cut short": string(text[:len(text)-1]), "empty": ""} {
			response, err = try(request(t, t.Context(), http.MethodPut), answers(func(r *http.Request) *http.Response {
				tries++
				return forbidden(r, strings.NewReader(body))
			}))
			require.NoError(t, err, what)
			got, err := io.ReadAll(response.Body)
			require.NoError(t, err, what)
			assert.Equal(t, body, string(got), what)
		}
		assert.Equal(t, 3, tries)

		reads := request(t, t.Context(), http.MethodGet) // a watch, say
		api = &fencing{policy: ofTheTest, until: forever()}
		_, err = try(reads, api)
		require.NoError(t, err)
		assert.Equal(t, 1, api.tries())
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
	})
}

// The API server refuses in the encoding that the client has asked for.
func TestARefusalIsReadInEachEncoding(t *testing.T) {
	known := runtime.NewScheme()
	metav1.AddToGroupVersion(known, schema.GroupVersion{Version: "v1"})
	for _, kind := range []string{"application/json", "application/vnd.kubernetes.protobuf", "application/cbor"} {
		within(t, func(t *testing.T) {
			a := contend(t, newMemory().lock("a"))
			sleep(s)
			info, ok := runtime.SerializerInfoForMediaType(serializer.NewCodecFactory(known, serializer.WithSerializer(cbor.NewSerializerInfo)).SupportedMediaTypes(), kind)
			require.True(t, ok, kind)
			var body bytes.Buffer
			require.NoError(t, info.Serializer.Encode(&refusedBy(ofTheTest).ErrStatus, &body), kind)
			tries := 0
			response, err := guarded(t, a.LeaderElector, answers(func(r *http.Request) *http.Response {
				if tries++; tries > 1 {
					return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}
				}
				return forbidden(r, &body)
			})).RoundTrip(request(t, t.Context(), http.MethodPut))
			require.NoError(t, err, kind)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, http.StatusOK, response.StatusCode, kind)
			assert.Equal(t, 2, tries, kind)
		})
	}
}

type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error { c.close(); return nil }

func TestRefusalsThatWereDisprovedAreFollowedUpAtGrowingDistances(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	began := time.Now()
	at := func(d time.Duration) instant { return instant{mono: began.Add(d), wall: began.Add(d)} }
	f := fenced{}
	assert.Zero(t, f.pause(at(0), of), "the first")
	for disproved, pause := range map[int]time.Duration{1: 250 * ms, 2: 500 * ms, 3: s, 4: 2 * s, 5: 2 * s, 60: 2 * s} {
		f = fenced{disproved: disproved, asked: at(0)}
		assert.Equal(t, pause, f.pause(at(0), of), "%d disproved", disproved)
		assert.Equal(t, pause-100*ms, f.pause(at(100*ms), of), "%d disproved", disproved)
		assert.Zero(t, f.pause(at(2*s+1), of))
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
