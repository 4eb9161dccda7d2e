package leaderelection

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
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
)

// refuses answers each request as the fence of the test does, until ok.
func refuses(t *testing.T, ok func(tries int) bool) (next http.RoundTripper, tries *int) {
	text, err := json.Marshal(refusedBy(ofTheTest).ErrStatus)
	require.NoError(t, err)
	tries = new(int)
	return answers(func(r *http.Request) *http.Response {
		if *tries++; ok(*tries) {
			return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}
		}
		return forbidden(r, strings.NewReader(string(text)))
	}), tries
}

// nevermore is not for ever, so that whoever sends without end is found out.
func nevermore(tries int) bool { return tries > 1000 }

// The pauses double from 10 ms to a quarter of a second, and the elector hears of the
// first refusal.
func TestAChangeThatIsRefusedIsSentAgainForASecondAndTellsTheTermOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		before, began := len(m.states()), time.Now()
		next, tries := refuses(t, nevermore)
		response, err := FenceWrapper(nil)(next).RoundTrip(request(t, context.WithValue(t.Context(), termKey{}, a.Term()), http.MethodPut))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusForbidden, response.StatusCode)
		assert.Equal(t, 810*ms, time.Since(began))
		assert.Equal(t, 8, *tries)
		assert.Len(t, m.states(), before+1, "one renewal to find out")
	})
}

func TestAChangeWithoutABodyIsSentAgain(t *testing.T) {
	for name, body := range map[string]io.ReadCloser{"nil": nil, "http.NoBody": http.NoBody} {
		within(t, func(t *testing.T) {
			a := contend(t, newMemory().lock("a"))
			sleep(s)
			change := request(t, t.Context(), http.MethodDelete)
			change.Body, change.GetBody = body, nil
			next, tries := refuses(t, func(tries int) bool { return tries > 1 })
			response, err := guarded(t, a.LeaderElector, next).RoundTrip(change)
			require.NoError(t, err, name)
			require.NoError(t, response.Body.Close())
			assert.Equal(t, http.StatusOK, response.StatusCode, name)
			assert.Equal(t, 2, *tries, name)

			ctx, cancel := context.WithCancel(t.Context())
			change = change.WithContext(ctx)
			time.AfterFunc(5*ms, cancel)
			next, _ = refuses(t, nevermore)
			_, err = guarded(t, a.LeaderElector, next).RoundTrip(change) //nolint:bodyclose // there is none
			require.ErrorIs(t, err, context.Canceled, name)
			require.True(t, apierrors.IsForbidden(err), name)
		})
	}
}

// What listens to the fence looks into answers to changes alone, and of those into what
// has arrived whole.
func TestWhatAListenerToTheFenceDoesNotLookInto(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		before := len(m.states())
		ofTheWork := context.WithValue(t.Context(), termKey{}, a.Term())

		next, tries := refuses(t, nevermore)
		response, err := FenceWrapper(nil)(next).RoundTrip(request(t, ofTheWork, http.MethodGet))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, 1, *tries, "a read")

		text, err := json.Marshal(refusedBy(ofTheTest).ErrStatus)
		require.NoError(t, err)
		broken, times := errors.New("connection reset"), 0
		response, err = FenceWrapper(nil)(answers(func(r *http.Request) *http.Response {
			times++
			return forbidden(r, io.MultiReader(strings.NewReader(string(text)), iotest.ErrReader(broken)))
		})).RoundTrip(request(t, ofTheWork, http.MethodPut))
		require.NoError(t, err)
		got, err := io.ReadAll(response.Body)
		require.ErrorIs(t, err, broken)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, string(text), string(got))
		assert.Equal(t, 1, times, "an answer that breaks off")

		_, err = FenceWrapper(nil)(failing{broken}).RoundTrip(request(t, ofTheWork, http.MethodPut)) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, broken, "no answer")

		times = 0
		response, err = FenceWrapper(nil)(answers(func(r *http.Request) *http.Response {
			times++
			answer := forbidden(r, strings.NewReader(string(text)))
			answer.StatusCode = http.StatusConflict
			return answer
		})).RoundTrip(request(t, ofTheWork, http.MethodPut))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, 1, times, "an answer of another kind")
		sleep(ms)
		assert.Len(t, m.states(), before)
	})
}

// failing is a transport that fails.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

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

func forbidden(r *http.Request, body io.Reader) *http.Response {
	return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: io.NopCloser(body), Request: r}
}

type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error { c.close(); return nil }
