package dialer

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"syscall"
)

// final is an error that client-go's REST client reports instead of making the
// call again. It makes a GET again whose error looks like a reset or an EOF, and
// a watch whose error looks like a timeout: ten times with pauses of a second,
// and for a watch it then reports success. It looks at types and at words
// (IsConnectionReset, IsProbableEOF, IsHTTP2ConnectionLost and IsTimeout of
// k8s.io/apimachinery/pkg/util/net). All attempts that the bound allows have been
// made by then, so the error that it wraps is hidden from that look; errors.Is
// sees it, and errors.As sees whatever is no reset in it.
type final struct {
	error
	timeout bool
}

// settled returns err as what a request has come to.
func settled(err error, request *http.Request) error {
	// Where the caller's own time is over there is no further attempt anyway.
	return &final{error: err, timeout: errors.Is(request.Context().Err(), context.DeadlineExceeded)}
}

// retried are the words by which client-go takes a failed connection for one
// that calls for another attempt, and what we put for them.
var retried = []struct {
	words *regexp.Regexp
	put   string
}{
	{regexp.MustCompile(`(?i)connection reset by peer`), "connection reset by the peer"},
	{regexp.MustCompile(`(?i)use of closed network connection`), "use of a closed network connection"},
	{regexp.MustCompile(`(?i)http2: server sent GOAWAY and closed the connection`), "http2: the server sent GOAWAY and closed the connection"},
	{regexp.MustCompile(`(?i)http2: client connection lost`), "http2: the client's connection was lost"},
	{regexp.MustCompile(`(?i)^http: can't write HTTP request on broken connection$`), "http: cannot write the HTTP request on a broken connection"},
}

// Error returns the words of the error within, but for those that client-go
// acts upon.
func (f *final) Error() string {
	text := f.error.Error()
	for _, r := range retried {
		text = r.words.ReplaceAllLiteralString(text, r.put)
	}
	return text
}

// Timeout reports whether the caller's own deadline has passed. It is what
// url.Error.Timeout and so IsTimeout say.
func (f *final) Timeout() bool { return f.timeout }

// Is implements the interface of errors.Is.
func (f *final) Is(target error) bool { return errors.Is(f.error, target) }

// As implements the interface of errors.As.
func (f *final) As(target any) bool {
	if number, ok := target.(*syscall.Errno); ok {
		var found syscall.Errno
		if !errors.As(f.error, &found) || found == syscall.ECONNRESET {
			return false
		}
		*number = found
		return true
	}
	return errors.As(f.error, target)
}
