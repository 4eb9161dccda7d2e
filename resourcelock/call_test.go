package resourcelock

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// patience is how much later than its bound a call may return on a machine that
// does other things too.
const patience = 500 * time.Millisecond

// A caller that sets no bound, as client-go's elector, has the lock's.
func TestEveryCallToASilentServerIsAnErrorWithinTheBound(t *testing.T) {
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("a")
	require.NoError(t, err)
	defer func() { require.NoError(t, endpoint.Close()) }()
	relay := leaseapi.NewRelay(nil, endpoint)
	defer relay.Close()
	host, err := relay.Host("one")
	require.NoError(t, err)
	defer host.Close()
	const bound = time.Second
	l := lock(t, host.Config(), "me", Options{RenewDeadline: bound})
	state, err := l.Write(t.Context(), Snapshot{}, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
	require.NoError(t, err)
	_, _, err = l.Get(t.Context())
	require.NoError(t, err)
	endpoint.Silence()
	for name, call := range map[string]func() error{
		"Get":    func() error { _, _, err := l.Get(t.Context()); return err },
		"Create": func() error { return l.Create(t.Context(), recordOf("me", time.Second)) },
		"Update": func() error { return l.Update(t.Context(), recordOf("me", time.Second)) },
		"Read":   func() error { _, err := l.Read(t.Context()); return err },
		"Write": func() error {
			_, err := l.Write(t.Context(), state, Entry{Record: recordOf("me", time.Second), Duration: time.Second})
			return err
		},
		"Watch": func() error { return l.Watch(t.Context(), state, func(Snapshot) {}) },
	} {
		start := time.Now()
		err := call()
		took := time.Since(start)
		require.Error(t, err, name)
		assert.NotErrorIs(t, err, context.Canceled, "%s: nobody has cancelled it", name)
		assert.LessOrEqual(t, took, bound+patience, name)
	}
}

func TestACallThatHeedsNoContextIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deaf atomic.Int32
		release := make(chan struct{})
		stuck := func(context.Context) (int, error) { <-release; return 1, nil }
		for range mostDeaf {
			start := time.Now()
			_, err := within(t.Context(), time.Second, &deaf, stuck)
			assert.ErrorIs(t, err, ErrDeaf)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, time.Second+lastWord, time.Since(start))
		}
		start := time.Now()
		_, err := within(t.Context(), time.Second, &deaf, stuck)
		assert.ErrorIs(t, err, ErrDeaf)
		assert.Zero(t, time.Since(start), "what is left behind does not grow")
		close(release)
		synctest.Wait()
		value, err := within(t.Context(), time.Second, &deaf, stuck)
		assert.NoError(t, err)
		assert.Equal(t, 1, value)
		assert.Zero(t, deaf.Load())
	})
}

func TestACallEndsWithItsCallersContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deaf atomic.Int32
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
		defer cancel()
		start := time.Now()
		_, err := within(ctx, 0, &deaf, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
		assert.EqualError(t, err, "enough", "the call's own words")
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestWhatACallPanicsWithReachesItsCaller(t *testing.T) {
	var deaf atomic.Int32
	assert.PanicsWithValue(t, "of the user's", func() {
		_, _ = within(t.Context(), time.Second, &deaf, func(context.Context) (int, error) { panic("of the user's") })
	})
}

// twice returns a round tripper that sends each write twice and returns the
// second answer, as where the first is lost with its connection.
func twice(rt http.RoundTripper) http.RoundTripper {
	return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet {
			return rt.RoundTrip(r)
		}
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		first := r.Clone(r.Context())
		first.Body = body
		response, err := rt.RoundTrip(first)
		if err != nil {
			return nil, err
		}
		_ = response.Body.Close()
		return rt.RoundTrip(r)
	})
}

func TestAConflictWithItsOwnTwinIsSuccess(t *testing.T) {
	config := api(t)
	doubled := api(t)
	*doubled = *config
	doubled.WrapTransport = twice
	l, other := lock(t, doubled, "me", Options{}), lock(t, config, "other", Options{})
	require.NoError(t, l.Create(t.Context(), recordOf("me", time.Second)))
	require.NoError(t, l.Update(t.Context(), recordOf("me", 2*time.Second)))
	require.NoError(t, l.Update(t.Context(), recordOf("me", 2*time.Second)), "one equal to the last, but for its mark")
	state, err := other.Read(t.Context())
	require.NoError(t, err)
	assert.NotEmpty(t, state.Stated.Mark)

	err = l.Create(t.Context(), recordOf("me", 2*time.Second))
	assert.True(t, apierrors.IsAlreadyExists(err), "what another call has created: %v", err)
	_, _, err = other.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, other.Update(t.Context(), recordOf("me", 2*time.Second)), "the same record, by another")
	err = l.Update(t.Context(), recordOf("me", 2*time.Second))
	assert.True(t, apierrors.IsConflict(err), "what another has written: %v", err)
}
