package resourcelock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/internal/bounded"
	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// patience is how much later than its bound a call to a server that never answers may
// return on a machine that does other things too. How exactly a bound is kept is said by
// tests in virtual time.
const patience = 10 * time.Second

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
		c := &caller{bound: time.Second}
		release := make(chan struct{})
		stuck := func(context.Context) (int, error) { <-release; return 1, nil }
		for range bounded.Most + 1 {
			start := time.Now()
			_, err := within(t.Context(), c, stuck)
			assert.ErrorIs(t, err, ErrDeaf)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.LessOrEqual(t, time.Since(start), time.Second)
			assert.GreaterOrEqual(t, time.Since(start), time.Second-lastWord(time.Second))
		}
		close(release)
		synctest.Wait()
		value, err := within(t.Context(), c, stuck)
		assert.NoError(t, err)
		assert.Equal(t, 1, value)
	})
}

func TestACallEndsWithItsCallersContext(t *testing.T) {
	heedful := func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, fmt.Errorf("waiting: %w", context.Cause(ctx))
	}
	deaf := func(context.Context) (int, error) { time.Sleep(time.Minute); return 0, nil }
	for name, c := range map[string]*caller{
		"known to heed": {heeds: true}, "of any client": {}, "with a longer bound": {bound: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				_, err := within(ctx, c, heedful)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.ErrorContains(t, err, "waiting", "the call's own words")
				assert.InDelta(t, time.Second, time.Since(start), float64(lastWord(time.Second)))

				ctx, end := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { end(errors.New("enough")) })
				start = time.Now()
				_, err = within(ctx, c, heedful)
				assert.ErrorContains(t, err, "enough")
				assert.Equal(t, time.Second, time.Since(start))
				if !c.heeds {
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					start = time.Now()
					_, err = within(ctx, c, deaf)
					assert.ErrorIs(t, err, ErrDeaf)
					assert.Equal(t, time.Second, time.Since(start))
				}
				time.Sleep(time.Hour)
			})
		})
	}
}

func TestWithAContextThatHasEndedALockCallsNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	for _, heeds := range []bool{true, false} {
		_, err := within(ctx, &caller{bound: time.Second, heeds: heeds}, func(context.Context) (int, error) {
			t.Error("called")
			return 0, nil
		})
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, enough)
	}
}

func TestWhatACallPanicsWithReachesItsCaller(t *testing.T) {
	for _, heeds := range []bool{true, false} {
		assert.PanicsWithValue(t, "of the user's", func() {
			_, _ = within(t.Context(), &caller{bound: time.Second, heeds: heeds}, func(context.Context) (int, error) { panic("of the user's") })
		})
	}
}

// What is above the dialer in a client must heed its context, or a call is made
// in a goroutine of its own, which is left behind.
func TestACallIsBoundedWhateverOfTheUsersIsDeaf(t *testing.T) {
	const bound = time.Second
	hang, back := make(chan struct{}), make(chan struct{})
	defer close(back)
	stuck := func() {
		select {
		case <-hang:
			<-back
		default:
		}
	}
	config := api(t)
	wrapped := rest.CopyConfig(config)
	wrapped.Wrap(func(rt http.RoundTripper) http.RoundTripper {
		return roundTripperFunc(func(r *http.Request) (*http.Response, error) { stuck(); return rt.RoundTrip(r) })
	})
	dialled := rest.CopyConfig(config)
	dialled.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		stuck()
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	proxied := rest.CopyConfig(config)
	proxied.Proxy = func(*http.Request) (*url.URL, error) { stuck(); return nil, nil }
	warned := rest.CopyConfig(config)
	warned.WarningHandler = deafHandler{stuck}
	warned.Wrap(func(rt http.RoundTripper) http.RoundTripper {
		return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
			response, err := rt.RoundTrip(r)
			if err == nil {
				response.Header.Add("Warning", `299 - "of the server's"`)
			}
			return response, err
		})
	})
	locks := map[string]*LeaseLock{}
	for name, config := range map[string]*rest.Config{"WrapTransport": wrapped, "Dial": dialled, "Proxy": proxied, "WarningHandler": warned} {
		locks[name] = lock(t, config, "me", Options{RenewDeadline: bound, Mode: dialer.NewConnections})
		_, err := locks[name].Read(t.Context())
		require.NoError(t, err, name)
		assert.Equal(t, name != "WarningHandler", locks[name].factory.heeds, name)
	}
	close(hang)
	for name, l := range locks {
		start := time.Now()
		_, err := l.Read(t.Context())
		require.Error(t, err, name)
		assert.LessOrEqual(t, time.Since(start), bound+patience, name)
	}
}

type deafHandler struct{ stuck func() }

func (d deafHandler) HandleWarningHeader(int, string, string) { d.stuck() }

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

// What refuses the twin of a write need not say that it exists: a quota that the first
// has used up, admission that lets nobody change what is there.
func TestATwinThatIsRefusedForWhatItHasDoneIsSuccess(t *testing.T) {
	for _, code := range []int{400, 403, 404, 422, 500} {
		config := api(t)
		refuses := api(t)
		*refuses = *config
		refuses.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
			return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
				response, err := twice(rt).RoundTrip(r)
				if err == nil && r.Method != http.MethodGet {
					_ = response.Body.Close()
					response.StatusCode = code
					response.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d}`, code)))
				}
				return response, err
			})
		}
		l := lock(t, refuses, "me", Options{})
		require.NoError(t, l.Create(t.Context(), recordOf("me", time.Second)), "%d", code)
		require.NoError(t, l.Update(t.Context(), recordOf("me", 2*time.Second)), "%d", code)
	}
}

// A write that was sent once and refused is refused, and nothing is read for it.
func TestAWriteThatWasSentOnceAndRefusedIsNotLookedInto(t *testing.T) {
	config := api(t)
	var reads atomic.Int32
	config.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
		return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				reads.Add(1)
				return rt.RoundTrip(r)
			}
			response, err := rt.RoundTrip(r)
			if err == nil {
				_ = response.Body.Close()
				response.StatusCode = http.StatusForbidden
				response.Body = io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`))
			}
			return response, err
		})
	}
	l := lock(t, config, "me", Options{})
	assert.True(t, apierrors.IsForbidden(l.Create(t.Context(), recordOf("me", time.Second))))
	assert.Zero(t, reads.Load())
}

// What a user's round tripper does in the goroutine of a watch is met by whoever
// watches, and not by the process.
func TestAWatchWhoseRoundTripperPanicsPanicsWithItsCaller(t *testing.T) {
	for name, does := range map[string]func(){"panics": func() { panic("of the user's") }, "ends its goroutine": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			config := api(t)
			config.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
				return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
					if r.URL.Query().Get("watch") != "" {
						does()
					}
					return rt.RoundTrip(r)
				})
			}
			l := lock(t, config, "me", Options{})
			assert.Panics(t, func() { _ = l.Watch(t.Context(), Snapshot{}, func(Snapshot) {}) })
		})
	}
}
