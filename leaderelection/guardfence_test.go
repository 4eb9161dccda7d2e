package leaderelection

import (
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
		sleep(ms)
		assert.Len(t, m.states(), before)
	})
}
