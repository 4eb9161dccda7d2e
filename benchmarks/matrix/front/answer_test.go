//lint:file-ignore SA1019 the error of a connection that ends with GOAWAY is looked at as it is, without what net/http tries again

package front

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"
)

// ask sends a request that ends with the test.
func (r *rig) ask(t *testing.T, c *http.Client, body string) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+r.at, strings.NewReader(body))
	require.NoError(t, err)
	answer, err := c.Do(request)
	if err == nil {
		t.Cleanup(func() { _ = answer.Body.Close() })
	}
	return answer, err
}

// firstOf reads that many bytes.
func firstOf(t *testing.T, body io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(body, b)
	require.NoError(t, err)
	return string(b)
}

// endsWithTheFault claims that the body does not end before the fault, and
// returns what comes with its end.
func (r *rig) endsWithTheFault(t *testing.T, body io.Reader) string {
	t.Helper()
	type read struct {
		text string
		err  error
	}
	rest := make(chan read, 1)
	go func() {
		b, err := io.ReadAll(body)
		rest <- read{string(b), err}
	}()
	select {
	case got := <-rest:
		require.Failf(t, "the body ended before the fault", "%q, %v", got.text, got.err)
	case <-time.After(100 * time.Millisecond):
	}
	r.front.Set(Fault{})
	select {
	case got := <-rest:
		require.NoError(t, got.err)
		return got.text
	case <-time.After(soon):
		require.Fail(t, "the body did not end with the fault")
	}
	return ""
}

func TestABodyGoesSilentAfterTheHeadersUntilTheFaultIsOver(t *testing.T) {
	const text = "0123456789"
	for name, c := range map[string]struct {
		body       Body
		known      bool
		compressed bool
	}{
		"known length":   {Known, true, false},
		"unknown length": {Unknown, false, false},
		"compressed":     {Compressed, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			bothProtocols(t, func(t *testing.T, http2 bool) {
				r := newRig(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
				r.front.Set(Fault{Answer: SilentBody(c.body)})
				answer, err := r.ask(t, r.client(t, http2, true), "body")
				require.NoError(t, err)
				assert.Equal(t, c.known, answer.ContentLength == int64(len(text)))
				assert.Equal(t, c.compressed, answer.Uncompressed)
				assert.Equal(t, text[:5], firstOf(t, answer.Body, 5))
				assert.Equal(t, text[5:], r.endsWithTheFault(t, answer.Body))
			})
		})
	}
}

func TestASilentBodyIsNotCompressedForWhoDoesNotAskForIt(t *testing.T) {
	r := newRig(t, tellsWho)
	r.front.Set(Fault{Answer: SilentBody(Compressed)})
	c := r.client(t, true, true)
	c.Transport.(*http.Transport).DisableCompression = true
	answer, err := r.ask(t, c, "")
	require.NoError(t, err)
	r.front.Set(Fault{})
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	assert.Equal(t, "alice /", string(body))
}

func TestABodyTricklesUntilTheFaultIsOver(t *testing.T) {
	const text, pace = "0123456789", 50 * time.Millisecond
	bothProtocols(t, func(t *testing.T, http2 bool) {
		r := newRig(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		r.front.Set(Fault{Answer: Trickle(pace)})
		begun := time.Now()
		answer, err := r.ask(t, r.client(t, http2, true), "")
		require.NoError(t, err)
		assert.Equal(t, text[:4], firstOf(t, answer.Body, 4))
		assert.GreaterOrEqual(t, time.Since(begun), 3*pace)
		r.front.Set(Fault{Answer: Trickle(time.Hour)}) // what has begun goes on
		assert.Equal(t, text[4:], firstOf(t, answer.Body, 6))
	})
}

func TestARefusalWithoutEndEndsWithTheFault(t *testing.T) {
	bothProtocols(t, func(t *testing.T, http2 bool) {
		r := newRig(t, tellsWho)
		r.front.Set(Fault{Answer: RefuseWithoutEnd(http.StatusInternalServerError, time.Second)})
		answer, err := r.ask(t, r.client(t, http2, true), "")
		require.NoError(t, err)
		assert.Equal(t, http.StatusInternalServerError, answer.StatusCode)
		assert.Equal(t, "1", answer.Header.Get("Retry-After"))
		assert.EqualValues(t, -1, answer.ContentLength)
		assert.Equal(t, "...", firstOf(t, answer.Body, 3))
		assert.Regexp(t, `^\.*$`, r.endsWithTheFault(t, answer.Body))
	})
}

func TestARedirectLeadsToWhereItCameFrom(t *testing.T) {
	bothProtocols(t, func(t *testing.T, http2 bool) {
		r := newRig(t, tellsWho)
		r.front.Set(Fault{Answer: Redirect})
		_, err := r.ask(t, r.client(t, http2, true), "body")
		assert.ErrorContains(t, err, "stopped after 10 redirects")
	})
}

func TestInformationGoesOnUntilTheFaultIsOver(t *testing.T) {
	bothProtocols(t, func(t *testing.T, http2 bool) {
		r := newRig(t, tellsWho)
		r.front.Set(Fault{Answer: Inform(5 * time.Millisecond)})
		begun := time.Now()
		time.AfterFunc(200*time.Millisecond, func() { r.front.Set(Fault{}) })
		answer, body := r.get(t, r.client(t, http2, true))
		assert.GreaterOrEqual(t, time.Since(begun), 200*time.Millisecond)
		assert.Equal(t, http.StatusOK, answer.StatusCode)
		assert.Equal(t, "alice /path?query=1", body)
	})
}

func TestGoAwayEndsAConnectionWithoutAnAnswer(t *testing.T) {
	r := newRig(t, tellsWho)
	r.front.Set(Fault{Answer: GoAway(time.Millisecond)})
	transport := &http2.Transport{TLSClientConfig: r.client(t, true, true).Transport.(*http.Transport).TLSClientConfig}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+r.at, unrepeatable{strings.NewReader("body")})
	require.NoError(t, err)
	_, err = transport.RoundTrip(request)
	assert.ErrorContains(t, err, "GOAWAY")

	answer, body := r.get(t, r.client(t, false, true))
	assert.Equal(t, "alice /path?query=1", body, "HTTP/1.1 has an answer")
	assert.True(t, answer.Close, "and a connection that ends")
}

// unrepeatable hides from net/http that a body could be read again.
type unrepeatable struct{ io.Reader }

func TestAResetEndsAStreamOrAConnection(t *testing.T) {
	r := newRig(t, tellsWho)
	r.front.Set(Fault{Answer: Reset})
	_, err := r.ask(t, r.client(t, true, true), "body")
	assert.ErrorContains(t, err, "INTERNAL_ERROR")
	_, err = r.ask(t, r.client(t, false, true), "body")
	assert.True(t, errors.Is(err, unix.ECONNRESET) || errors.Is(err, io.EOF), "%v", err)
}

func TestAnUnreadRequestEndsWithTheFault(t *testing.T) {
	bothProtocols(t, func(t *testing.T, http2 bool) {
		r := newRig(t, tellsWho)
		r.front.Set(Fault{Answer: Unread, NoWindow: true})
		c := r.client(t, http2, true)
		_, text := r.get(t, c)
		assert.Equal(t, "alice /path?query=1", text, "without a body there is nothing to leave unread")
		const lasts = 200 * time.Millisecond
		begun := time.Now()
		time.AfterFunc(lasts, func() { r.front.Set(Fault{}) })
		_, err := r.ask(t, c, "body")
		assert.Error(t, err)
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		assert.GreaterOrEqual(t, time.Since(begun), lasts)
		r.get(t, r.client(t, http2, true))
	})
}

func TestWithoutAWindowABodyIsNotEvenSent(t *testing.T) {
	const size = 900 << 10 // more than a client buffers, less than the window of HTTP/2 connections otherwise
	for name, c := range map[string]struct {
		fault Fault
		all   bool
	}{
		"no window":  {Fault{Answer: Unread, NoWindow: true}, false},
		"the window": {Fault{Answer: Unread}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tellsWho)
			r.front.Set(c.fault)
			client := r.client(t, true, true)
			r.get(t, client) // what is sent before the server's SETTINGS have come has a window
			body := &counting{left: size}
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://"+r.at, body)
			require.NoError(t, err)
			request.ContentLength = size
			_, err = client.Do(request)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, c.all, body.read() == size)
		})
	}
}

// counting is a body that knows how much of it was read.
type counting struct {
	mu   sync.Mutex
	left int
	n    int
}

func (c *counting) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(b), c.left)
	c.left, c.n = c.left-n, c.n+n
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *counting) read() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestWhoClosesAFrontDoesNotWaitForItsFault(t *testing.T) {
	r := newRig(t, tellsWho)
	r.front.Set(Fault{Answer: Unread})
	failed := make(chan error, 1)
	c := r.client(t, false, true)
	go func() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+r.at, strings.NewReader("body"))
		if err == nil {
			var answer *http.Response
			if answer, err = c.Do(request); err == nil {
				err = answer.Body.Close()
			}
		}
		failed <- err
	}()
	require.Eventually(t, func() bool {
		r.front.conns.mu.Lock()
		defer r.front.conns.mu.Unlock()
		return len(r.front.conns.open) > 0
	}, soon, time.Millisecond)
	require.NoError(t, r.front.Close())
	select {
	case <-failed: // an error, or the answer that came before the connection's end
	case <-time.After(soon):
		require.Fail(t, "the request did not end")
	}
}
