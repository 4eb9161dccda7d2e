package dialer

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// IsStream reports whether the answer to a request is a stream by the
// conventions of the Kubernetes API: a watch (the query parameter watch is
// true), a log that is followed (follow is true), or another protocol (a CONNECT
// or an Upgrade header). A parameter is true if its first value is one that
// strconv.ParseBool takes for true. It is the default of Transport.Stream.
func IsStream(request *http.Request) bool {
	return switches(request) || asks(request, "watch") || asks(request, "follow")
}

// asks reports whether a parameter of the request's query is true.
func asks(request *http.Request, name string) bool {
	// Most queries have no such word at all and need not be parsed.
	if request.URL == nil || !strings.Contains(request.URL.RawQuery, name) {
		return false
	}
	is, err := strconv.ParseBool(request.URL.Query().Get(name))
	return err == nil && is
}

// switches reports whether a request asks for another protocol on its connection.
func switches(request *http.Request) bool {
	return request.Method == http.MethodConnect || request.Header.Get("Upgrade") != ""
}

// idempotent reports whether HTTP allows a request to be sent again by itself
// (RFC 9110, section 9.2.2). As for net/http, a request whose caller has given
// it an idempotency key is so too, and one that asks for another protocol is not.
func idempotent(request *http.Request) bool {
	if switches(request) {
		return false
	}
	switch request.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return request.Header.Get("Idempotency-Key") != "" || request.Header.Get("X-Idempotency-Key") != ""
}

// span is the time that a call has, its redirects included.
type span struct{ start, end time.Time }

type spanKey struct{}

// spanOf returns the time of the call that a request follows a redirect of.
// http.Client says in Request.Response which answer it follows.
func spanOf(request *http.Request) (span, bool) {
	for range maxChain {
		if request.Response == nil || request.Response.Request == nil {
			break
		}
		request = request.Response.Request
		if s, known := request.Context().Value(spanKey{}).(span); known {
			return s, true
		}
	}
	return span{}, false
}

// redirects reports whether an answer may make its reader send another request
// for the same call.
func redirects(response *http.Response) bool {
	return response.StatusCode/100 == 3 && response.Header.Get("Location") != ""
}
