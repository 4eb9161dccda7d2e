package dialer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

func TestNoErrorLooksToClientGoLikeACallForAnotherAttempt(t *testing.T) {
	for _, cause := range []error{
		syscall.ECONNRESET,
		&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		fmt.Errorf("two: %w and %w", syscall.EPIPE, syscall.ECONNRESET),
		fmt.Errorf("two: %w and %w", syscall.ECONNRESET, syscall.EPIPE),
		io.EOF,
		io.ErrUnexpectedEOF,
		net.ErrClosed,
		errors.New("write: Use Of Closed Network Connection"),
		os.ErrDeadlineExceeded,
		context.DeadlineExceeded,
		errors.New("http: can't write HTTP request on broken connection"),
		errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR"),
		errors.New("http2: client connection lost"),
		&url.Error{Op: "Get", URL: "x", Err: io.EOF},
		&url.Error{Op: "Get", URL: "x", Err: os.ErrDeadlineExceeded},
	} {
		inner := &Error{Op: "GET x", Tries: 3, Bound: time.Second, Err: cause}
		for _, err := range []error{settled(inner, newRequest(t.Context(), "GET", "")), settled(cause, newRequest(t.Context(), "GET", ""))} {
			seen := &url.Error{Op: "Get", URL: "https://192.0.2.1/", Err: err} // as http.Client wraps it
			assert.False(t, utilnet.IsConnectionReset(seen), "%v", cause)
			assert.False(t, utilnet.IsProbableEOF(seen), "%v", cause)
			assert.False(t, utilnet.IsHTTP2ConnectionLost(seen), "%v", cause)
			assert.False(t, utilnet.IsTimeout(seen), "%v", cause)
			assert.ErrorIs(t, seen, cause)
		}
		var found *Error
		require.ErrorAs(t, settled(inner, newRequest(t.Context(), "GET", "")), &found)
		assert.Same(t, inner, found)
	}
}

func TestAnErrorIsStillWhatItsCallerLooksFor(t *testing.T) {
	refused := &url.Error{Op: "Get", URL: "x", Err: settled(&Error{Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}, newRequest(t.Context(), "GET", ""))}
	assert.True(t, utilnet.IsConnectionRefused(refused), "informers back off by it")
	require.ErrorIs(t, refused, syscall.ECONNREFUSED)
	var op *net.OpError
	require.ErrorAs(t, refused, &op)

	reason := errors.New("the term has ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	_, err := (&retryAfterInBody{&Transport{Base: newScript(silent), Budget: Budget{Answer: time.Second}}}).RoundTrip(newRequest(ctx, "GET", ""))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, reason)

	over, stop := context.WithTimeout(t.Context(), time.Nanosecond)
	defer stop()
	<-over.Done()
	_, err = (&http.Client{Transport: &retryAfterInBody{&Transport{Base: newScript(silent), Budget: Budget{Answer: time.Second}}}}).Do(newRequest(over, "GET", ""))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.True(t, utilnet.IsTimeout(err), "the caller's own deadline is one")
}

// client-go makes a GET again that was reset, and opens a watch again that was
// not answered, ten times with pauses of a second. Here a call is one call.
func TestClientGoDoesNotMakeACallAgain(t *testing.T) {
	const bound = 500 * ms
	for name, abuse := range map[string]func(*net.TCPConn){
		"reset":  func(conn *net.TCPConn) { _ = conn.SetLinger(0); _ = conn.Close() },
		"closed": func(conn *net.TCPConn) { _ = conn.Close() },
		"silent": func(*net.TCPConn) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			var accepted atomic.Int32
			done := make(chan []net.Conn)
			go func() {
				var conns []net.Conn
				for {
					conn, err := listener.Accept()
					if err != nil {
						done <- conns
						return
					}
					accepted.Add(1)
					conns = append(conns, conn)
					abuse(conn.(*net.TCPConn))
				}
			}()
			t.Cleanup(func() {
				_ = listener.Close()
				for _, conn := range <-done {
					_ = conn.Close()
				}
			})
			server, _ := newServer(t, false, hello)
			server.URL = "https://" + listener.Addr().String()
			leases := leasesOf(t, server, Budget{Answer: bound})
			start := time.Now()
			_, err = leases.Get(context.Background(), "lock", metav1.GetOptions{})
			require.Error(t, err)
			assert.Less(t, time.Since(start), bound+slowMachine)
			start = time.Now()
			_, err = leases.Watch(context.Background(), metav1.ListOptions{})
			require.Error(t, err, "a watch that was never opened has not ended well")
			assert.Less(t, time.Since(start), bound+slowMachine)
			assert.LessOrEqual(t, accepted.Load(), int32(2*attemptsCap))
		})
	}
}
