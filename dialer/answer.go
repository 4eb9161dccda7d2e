package dialer

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// maxAbsorbed is the longest body that belongs to the answer. A Lease is less
// than a kilobyte; what is longer than this is not held in memory twice.
const maxAbsorbed = 1 << 20

// absorb reads a body of known and modest length into memory, so that silence
// in the middle of it counts as no answer and is hedged. Other bodies (watches,
// chunked answers, upgraded connections) are left to be read by the caller.
func absorb(request *http.Request, response *http.Response) error {
	if streams(request, response) {
		return nil
	}
	body := &absorbed{from: io.LimitedReader{R: response.Body, N: maxAbsorbed + 1}}
	body.Grow(int(response.ContentLength) + bytes.MinRead) // ReadFrom asks for room beyond the end
	_, err := body.ReadFrom(&body.from)
	_ = response.Body.Close()
	if err != nil {
		return fmt.Errorf("read the answer's body, %d of %d bytes: %w", body.Len(), response.ContentLength, err)
	}
	body.from.R = nil
	response.Body = body
	return nil
}

// absorbed is a body that has arrived, and what it is read from until then: one
// allocation.
type absorbed struct {
	bytes.Buffer
	from io.LimitedReader
}

// Close implements io.Closer; there is nothing left to close.
func (*absorbed) Close() error { return nil }

func streams(request *http.Request, response *http.Response) bool {
	return response.ContentLength < 0 || response.ContentLength > maxAbsorbed ||
		response.StatusCode == http.StatusSwitchingProtocols || request.Method == http.MethodConnect
}

// refused reports whether an answer says that the request was not executed,
// but may be elsewhere or later (RFC 6585 section 4, RFC 9110 section 15.6).
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

// live wraps the body, and keeps it writable where it is the connection itself
// after a switch of protocols.
func (s *stream) live() io.ReadCloser {
	if writer, ok := s.ReadCloser.(io.Writer); ok {
		return struct {
			io.ReadCloser
			io.Writer
		}{s, writer}
	}
	return s
}
