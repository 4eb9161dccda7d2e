package dialer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// script is a base whose n-th request (from 1) is handled by the n-th function,
// the last one standing for all that follow. It notes when requests came.
type script struct {
	start  time.Time
	steps  []func(*http.Request) (*http.Response, error)
	sent   atomic.Int32
	idle   atomic.Int32 // calls of CloseIdleConnections
	mu     sync.Mutex
	at     []time.Duration
	bodies []string
}

func newScript(steps ...func(*http.Request) (*http.Response, error)) *script {
	return &script{start: time.Now(), steps: steps}
}

func (s *script) RoundTrip(request *http.Request) (*http.Response, error) {
	n := int(s.sent.Add(1))
	if err := s.note(request); err != nil {
		return nil, err
	}
	return s.steps[min(n, len(s.steps))-1](request)
}

func (s *script) note(request *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Since(s.start))
	if request.Body == nil {
		return nil
	}
	defer func() { _ = request.Body.Close() }()
	body, err := io.ReadAll(request.Body)
	s.bodies = append(s.bodies, string(body))
	return err
}

func (s *script) CloseIdleConnections() { s.idle.Add(1) }

func silent(request *http.Request) (*http.Response, error) {
	<-request.Context().Done()
	return nil, request.Context().Err()
}

func answer(status int, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func after(d time.Duration, next func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(request *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return next(request)
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
}

var errBroken error = syscall.EPIPE

func broken(*http.Request) (*http.Response, error) { return nil, errBroken }

// unreachable fails as net/http does where no connection could be made.
func unreachable(request *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(request.Context()).GetConn("192.0.2.1:443")
	return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
}

// newWatch is a request whose answer is a stream.
func newWatch(ctx context.Context) *http.Request {
	request := newRequest(ctx, "GET", "")
	request.URL.RawQuery = "watch=true"
	return request
}

func newRequest(ctx context.Context, method, body string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, "https://192.0.2.1:443/lease", reader)
	if err != nil {
		panic(err)
	}
	return request
}

// within a bubble: sends a request over the script with a second for the answer
// and hedges every 100ms.
func send(base *script, request *http.Request) (*http.Response, error) {
	return (&Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: 100 * ms}}).RoundTrip(request)
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return string(body)
}

func TestSilentRequestIsHedgedOnNewConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(silent, silent, answer(200, "third"))
		request := newRequest(t.Context(), "PUT", "the lease")
		response, err := send(base, request)
		require.NoError(t, err)
		assert.Equal(t, "third", bodyOf(t, response))
		assert.Same(t, request, response.Request)
		assert.Equal(t, []time.Duration{0, 100 * ms, 200 * ms}, base.at)
		assert.Equal(t, []string{"the lease", "the lease", "the lease"}, base.bodies)
		assert.EqualValues(t, 2, base.idle.Load(), "idle connections are closed before each hedge")
		synctest.Wait() // goleak and the bubble see to it that the losers have gone
	})
}

func TestFirstAnswerWinsAndTheLoserIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := &trackedBody{Reader: strings.NewReader("second")}
		base := newScript(after(150*ms, answer(200, "first")), func(*http.Request) (*http.Response, error) {
			time.Sleep(100 * ms) // deaf to its context
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: late}, nil
		})
		response, err := send(base, newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Equal(t, "first", bodyOf(t, response))
		assert.Equal(t, 150*ms, time.Since(base.start))
		assert.False(t, late.closed.Load())
		time.Sleep(time.Second)
		assert.True(t, late.closed.Load(), "the body of an answer that came too late is closed")
	})
}

func TestUnansweredRequestEndsWithinAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(silent)
		_, err := send(base, newRequest(t.Context(), "GET", ""))
		assert.Equal(t, time.Second, time.Since(base.start))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var failure *Error
		require.ErrorAs(t, err, &failure)
		assert.True(t, failure.Timeout())
		assert.Equal(t, "GET 192.0.2.1:443", failure.Op)
		assert.Equal(t, time.Second, failure.Bound)
		assert.InDelta(t, 10, failure.Tries, 1)
	})
}

func TestCallersContextRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 250*ms)
		defer cancel()
		base := newScript(silent)
		_, err := send(base, newRequest(ctx, "GET", ""))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 250*ms, time.Since(base.start))

		_, err = send(base, newRequest(ctx, "PUT", "late"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Empty(t, base.bodies, "nothing is sent for a caller who has gone")

		reason := errors.New("the term has ended")
		cancelled, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(50*ms, func() { stop(reason) })
		_, err = send(newScript(silent), newRequest(cancelled, "GET", ""))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, reason)
	})
}

func TestFailedAttemptIsMadeAgainAtOnceThenPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(broken, broken, broken, broken, answer(200, "fifth"))
		response, err := send(base, newRequest(t.Context(), "PUT", "x"))
		require.NoError(t, err)
		assert.Equal(t, "fifth", bodyOf(t, response))
		assert.Equal(t, []time.Duration{0, 0, 0, 100 * ms, 200 * ms}, base.at)

		base = newScript(unreachable)
		_, err = send(base, newRequest(t.Context(), "PUT", "x"))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.ErrorContains(t, err, "the last failure was: dial: connection refused")
		assert.InDelta(t, 12, base.sent.Load(), 1, "it does not spin")
	})
}

func TestAttemptsAreUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(unreachable)
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Minute, Hedge: 100 * ms}}
		_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.EqualValues(t, attemptsCap, base.sent.Load())
	})
}

func TestUntrustedPeerIsNotTriedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
		})
		_, err := send(base, newRequest(t.Context(), "GET", ""))
		var unknown x509.UnknownAuthorityError
		require.ErrorAs(t, err, &unknown)
		assert.Zero(t, time.Since(base.start))
		assert.EqualValues(t, 1+atOnce, base.sent.Load(), "another backend may have a sound certificate")
	})
}

func TestRequestThatMayNotBeRepeatedIsSentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unreplayable := newRequest(t.Context(), "PUT", "x")
		unreplayable.GetBody = nil
		base := newScript(after(500*ms, answer(200, "ok")))
		response, err := send(base, unreplayable)
		require.NoError(t, err)
		assert.Equal(t, "ok", bodyOf(t, response))
		assert.EqualValues(t, 1, base.sent.Load())

		base = newScript(silent)
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second}, Hedgeable: func(r *http.Request) bool { return r.Method == "GET" }}
		_, err = rt.RoundTrip(newRequest(t.Context(), "POST", "x"))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(base.start), "it is bounded all the same")
		assert.EqualValues(t, 1, base.sent.Load())

		base = newScript(broken)
		rt.Base = base
		_, err = rt.RoundTrip(newRequest(t.Context(), "POST", "x"))
		require.ErrorIs(t, err, errBroken)
		assert.EqualValues(t, 1, base.sent.Load())
	})
}

func TestNegativeHedgeMeansRetriesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(broken, silent)
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: -1}}
		_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.EqualValues(t, 2, base.sent.Load())
	})
}

func TestBodyThatStallsIsHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(func(request *http.Request) (*http.Response, error) {
			reader, writer := io.Pipe()
			context.AfterFunc(request.Context(), func() { _ = writer.CloseWithError(request.Context().Err()) })
			go func() { _, _ = writer.Write([]byte("half")) }()
			return &http.Response{StatusCode: 200, ContentLength: 8, Body: reader}, nil
		}, answer(200, "the whole"))
		response, err := send(base, newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Equal(t, "the whole", bodyOf(t, response))
		assert.Equal(t, 100*ms, time.Since(base.start))
		synctest.Wait()
	})
}

func TestStreamOutlivesAnswerAndEndsWithItsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempt context.Context
		base := newScript(func(request *http.Request) (*http.Response, error) {
			attempt = request.Context()
			reader, writer := io.Pipe()
			time.AfterFunc(time.Hour, func() { _, _ = writer.Write([]byte("news")) })
			return &http.Response{StatusCode: 200, ContentLength: -1, Body: reader}, nil
		})
		response, err := send(base, newWatch(t.Context()))
		require.NoError(t, err)
		news := make([]byte, 4)
		_, err = io.ReadFull(response.Body, news)
		require.NoError(t, err)
		assert.Equal(t, "news", string(news))
		assert.Equal(t, time.Hour, time.Since(base.start))
		require.NoError(t, attempt.Err())
		require.NoError(t, response.Body.Close())
		require.ErrorIs(t, attempt.Err(), context.Canceled)
		assert.EqualValues(t, 1, base.sent.Load())
	})
}

func TestUpgradedConnectionStaysWritable(t *testing.T) {
	ours, theirs := net.Pipe()
	defer func() { _ = theirs.Close() }()
	base := newScript(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: ours}, nil
	})
	request := newRequest(t.Context(), "GET", "")
	request.Header.Set("Upgrade", "websocket")
	response, err := send(base, request)
	require.NoError(t, err)
	require.Implements(t, (*io.Writer)(nil), response.Body)
	go func() { _, _ = response.Body.(io.Writer).Write([]byte("up")) }()
	got := make([]byte, 2)
	_, err = io.ReadFull(theirs, got)
	require.NoError(t, err)
	assert.Equal(t, "up", string(got))
	require.NoError(t, response.Body.Close())
}

func TestConnectionIsNotKeptAfterAGatewayFailed(t *testing.T) {
	once := func(base *script) (*http.Response, error) { // so that no other server is asked
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second}, Hedgeable: func(*http.Request) bool { return false }}
		return rt.RoundTrip(newRequest(t.Context(), "GET", ""))
	}
	for _, status := range []int{502, 503, 504} {
		base := newScript(answer(status, "sorry"))
		response, err := once(base)
		require.NoError(t, err)
		assert.Equal(t, status, response.StatusCode)
		assert.EqualValues(t, 1, base.idle.Load())
	}
	base := newScript(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 503, ContentLength: -1, Body: io.NopCloser(strings.NewReader("chunks"))}, nil
	})
	response, err := once(base)
	require.NoError(t, err)
	assert.Equal(t, "chunks", bodyOf(t, response))
	assert.EqualValues(t, 1, base.idle.Load(), "a refusal is taken in whole, whatever its length")
}

func TestServerSlowForEveryoneIsHedgedWithinTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// As slow as this, every request would have four attempts.
		slow := newScript(after(350*ms, answer(200, "slow")))
		rt := &Transport{Base: slow, Budget: Budget{Answer: time.Second, Hedge: 100 * ms}}
		const requests = 100
		for range requests {
			_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
			require.NoError(t, err)
		}
		assert.LessOrEqual(t, slow.sent.Load(), int32(requests+bucketSize/2), "hedges that are as slow are no more sent, long before the bucket is empty")
	})
}

func TestDeadConnectionsDoNotDrainTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 3 {
			rt := &Transport{Budget: Budget{Answer: time.Second, Hedge: 100 * ms}}
			for range 100 {
				rt.Base = newScript(silent, silent, answer(200, "third"))
				_, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
				require.NoError(t, err)
			}
			assert.Equal(t, int(bucketSize), drain(&rt.tokens))
		}
	})
}

func TestMisuseIsAnErrorNotAPanic(t *testing.T) {
	_, err := new(Transport).RoundTrip(newRequest(t.Context(), "GET", ""))
	require.ErrorContains(t, err, "Budget.Answer is 0s")

	base := newScript(func(*http.Request) (*http.Response, error) { return nil, nil })
	rt := &Transport{Base: base, Budget: Budget{Answer: 50 * ms}}
	_, err = rt.RoundTrip(newRequest(t.Context(), "GET", ""))
	require.ErrorContains(t, err, "returned neither an answer nor an error")

	noURL := newRequest(t.Context(), "GET", "")
	noURL.URL = nil
	_, err = rt.RoundTrip(noURL)
	require.ErrorContains(t, err, "GET (no URL)")

	base = newScript(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil })
	rt.Base = base
	response, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
	require.NoError(t, err)
	assert.Empty(t, bodyOf(t, response))
}

func TestHardenedLooksThroughWrappers(t *testing.T) {
	rt := &Transport{Budget: Budget{Answer: 5 * time.Second}}
	budget, ok := Hardened(wrapper{wrapper{rt}})
	require.True(t, ok)
	assert.Equal(t, rt.Budget.WithDefaults(), budget)

	_, ok = Hardened(nil)
	assert.False(t, ok)
	_, ok = Hardened(http.DefaultTransport)
	assert.False(t, ok)
	var self *selfWrapper
	_, ok = Hardened(self)
	assert.False(t, ok, "a chain that bites its tail ends")
}

type wrapper struct{ http.RoundTripper }

func (w wrapper) WrappedRoundTripper() http.RoundTripper { return w.RoundTripper }

type selfWrapper struct{ http.RoundTripper }

func (w *selfWrapper) WrappedRoundTripper() http.RoundTripper { return w }
