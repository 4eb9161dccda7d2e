package dialer

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/apipath"
)

// IsStream reports whether the answer to a request is a stream by the
// conventions of the Kubernetes API, of what kube-apiserver takes for
// long-running all that need not end by itself:
//   - a watch: the query parameter watch is true, or the path is one of the
//     deprecated .../watch/...;
//   - a log that is followed: the query parameter follow is true;
//   - the subresources exec, attach, portforward and proxy, but for an object of a hub
//     that passes on to another API of Kubernetes: there the rest of the path decides;
//   - another protocol: a CONNECT or an Upgrade header.
//
// A parameter is true, as for kube-apiserver, if it is there and its first value is
// neither 0 nor false. Its name must be written without percent signs. It is the
// default of Transport.Stream.
func IsStream(request *http.Request) bool {
	return switches(request) || asks(request, "watch") || asks(request, "follow") ||
		request.URL != nil && (apipath.IsWatch(request.URL.Path) || apipath.Connects(request.URL.Path))
}

// asks reports whether a parameter of the request's query is true.
func asks(request *http.Request, name string) bool {
	// Most queries have no such word at all and need not be parsed.
	if request.URL == nil || !strings.Contains(request.URL.RawQuery, name) {
		return false
	}
	values, is := request.URL.Query()[name]
	return is && values[0] != "0" && !strings.EqualFold(values[0], "false")
}

// watches reports whether a request asks for a watch.
func watches(request *http.Request) bool {
	if asks(request, "watch") {
		return true
	}
	return request.URL != nil && apipath.IsWatch(request.URL.Path)
}

// switches reports whether a request asks for another protocol on its connection.
func switches(request *http.Request) bool {
	return request.Method == http.MethodConnect || request.Header.Get("Upgrade") != ""
}

// idempotent reports whether HTTP allows a request to be sent again by itself
// (RFC 9110, section 9.2.2). As for net/http, a request whose caller has given
// it an idempotency key is so too, and one that asks for another protocol is not: nor
// is one that runs a command in a Pod, for which client-go asks by GET and below this
// round tripper.
func idempotent(request *http.Request) bool {
	if switches(request) || request.URL != nil && apipath.IntoPod(request.URL.Path) {
		return false
	}
	switch request.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return request.Header.Get("Idempotency-Key") != "" || request.Header.Get("X-Idempotency-Key") != ""
}

// span is the time that a call has, its redirects included.
type span struct {
	start, end time.Time
	over       atomic.Bool // it has been answered, or has failed
}

type spanKey struct{}

// spanOf returns the time of the call that a request follows a redirect of, nil if there
// is none. http.Client says in Request.Response which answer it follows. A request
// that is sent again when that call is over is a call of its own.
func spanOf(request *http.Request) *span {
	for range maxChain {
		if request.Response == nil || request.Response.Request == nil {
			break
		}
		request = request.Response.Request
		if s, known := request.Context().Value(spanKey{}).(*span); known {
			if s.over.Load() {
				return nil
			}
			return s
		}
	}
	return nil
}

// redirects reports whether an answer may make its reader send another request
// for the same call.
func redirects(response *http.Response) bool {
	return response.StatusCode/100 == 3 && response.Header.Get("Location") != ""
}
