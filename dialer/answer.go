package dialer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
)

// ErrTooLarge is wrapped by the error of a round trip whose answer's body was
// longer than Budget.MaxBody.
var ErrTooLarge = errors.New("the answer is too large")

// maxGrown is how much memory is taken on the word of a Content-Length.
const maxGrown = 1 << 20

// absorb reads the body of an answer into memory, so that silence in the middle
// of it counts as no answer and is hedged. The body of a stream is left to be
// read by the caller. moved counts the bytes that come.
func absorb(ctx context.Context, method string, response *http.Response, most int64, moved *atomic.Int64) error {
	tooLarge := func() error {
		return fmt.Errorf("read the body of an answer (%d), more than Budget.MaxBody (%d bytes): %w; if it has no end, see Transport.Stream", response.StatusCode, most, ErrTooLarge)
	}
	if response.Body == nil || response.Body == http.NoBody {
		response.Body = http.NoBody
		return nil
	}
	if bodiless(method, response.StatusCode) { // whatever its length says
		_ = response.Body.Close()
		response.Body = http.NoBody
		return nil
	}
	if response.ContentLength > most {
		_ = response.Body.Close()
		return tooLarge()
	}
	most = min(most, math.MaxInt64-1)
	body := &absorbed{from: source{LimitedReader: io.LimitedReader{R: response.Body, N: most + 1}, moved: moved}}
	body.have.Grow(int(min(max(response.ContentLength, 0), maxGrown)) + bytes.MinRead) // ReadFrom asks for room beyond the end
	// The bodies of net/http end with the attempt. Those of others may not.
	inner := response.Body
	stop := context.AfterFunc(ctx, func() { quietly(ctx, func() { _ = inner.Close() }) })
	_, err := body.have.ReadFrom(&body.from)
	stop()
	_ = inner.Close()
	if err != nil {
		return fmt.Errorf("read the body of an answer (%d), %s: %w", response.StatusCode, share(body.have.Len(), response.ContentLength), err)
	}
	if int64(body.have.Len()) > most {
		return tooLarge()
	}
	body.from.R = nil
	response.Body = body
	return nil
}

// bodiless reports whether an answer has no body (RFC 9110, section 6.4.1). Its
// Content-Length is then of what another request would have got.
func bodiless(method string, status int) bool {
	return method == http.MethodHead || status/100 == 1 || status == http.StatusNoContent || status == http.StatusNotModified
}

// share says how much of a body has come.
func share(have int, of int64) string {
	if of < 0 {
		return fmt.Sprintf("%d bytes so far", have)
	}
	return fmt.Sprintf("%d of %d bytes", have, of)
}

// absorbed is a body that has arrived, and what it is read from until then: one
// allocation.
type absorbed struct {
	have   bytes.Buffer
	from   source
	closed atomic.Bool
}

// Read implements io.Reader. After Close it fails as the bodies of net/http do.
func (a *absorbed) Read(p []byte) (int, error) {
	if a.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	return a.have.Read(p)
}

// Close implements io.Closer.
func (a *absorbed) Close() error {
	a.closed.Store(true)
	return nil
}

// source counts what is read from it.
type source struct {
	io.LimitedReader
	moved *atomic.Int64
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.LimitedReader.Read(p)
	s.moved.Add(int64(n))
	return n, err
}

// streams reports whether an answer is a stream: it is if one was asked for and
// granted. A refusal is an answer like any other, and so is any answer to a watch but
// 200, which client-go reads to its end.
func streams(asked bool, request *http.Request, response *http.Response) bool {
	switch {
	case response.StatusCode == http.StatusSwitchingProtocols:
		return maySwitch(asked, request)
	case asked && watches(request):
		return response.StatusCode == http.StatusOK
	}
	return response.StatusCode/100 == 2 && (asked || request.Method == http.MethodConnect)
}

// errSwitched is the error of a request that was answered 101 and has not asked for
// that (RFC 9110, section 15.2.2). What comes after it is no answer, and has no end.
var errSwitched = errors.New("the server has switched protocols (101), which the request has not asked for")

// maySwitch reports whether 101 may be the answer to a request. A round tripper
// below this one may ask for it, as client-go's does that opens a websocket to a Pod,
// but not for a watch.
func maySwitch(asked bool, request *http.Request) bool {
	return switches(request) || asked && !watches(request)
}

// refused reports whether an answer says that another server, or this one a
// little later, may have something better to say (RFC 6585 section 4, RFC 9110
// section 15.6). It does not say that the request was not executed: behind a
// gateway that gave up waiting (502, 504) it may have been.
func refused(status int) bool {
	return status == http.StatusTooManyRequests || gatewayFailed(status)
}

// gatewayFailed reports whether an answer says that whoever gave it could not
// reach the server behind it.
func gatewayFailed(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// stream is the body of an answer that outlives its round trip. The attempt's
// context lives until the body is closed.
type stream struct {
	io.ReadCloser
	once   sync.Once
	cancel func()
	closed func() // called once, after the body has been closed
}

func (s *stream) Close() error {
	err := s.ReadCloser.Close()
	s.once.Do(func() {
		s.cancel()
		s.closed()
	})
	return err
}

// halfClosing is a stream whose sending side can be closed by itself.
type halfClosing interface{ CloseWrite() error }

// live wraps the body, and keeps it writable, and its sending side closable, where
// it is the connection itself after a switch of protocols.
func (s *stream) live() io.ReadCloser {
	writer, writes := s.ReadCloser.(io.Writer)
	half, closes := s.ReadCloser.(halfClosing)
	switch {
	case writes && closes:
		return struct {
			io.ReadCloser
			io.Writer
			halfClosing
		}{s, writer, half}
	case writes:
		return struct {
			io.ReadCloser
			io.Writer
		}{s, writer}
	}
	return s
}
