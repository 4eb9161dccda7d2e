package dialer

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// IsStream reports whether the answer to a request is a stream by the
// conventions of the Kubernetes API, of what kube-apiserver takes for
// long-running all that need not end by itself:
//   - a watch: the query parameter watch is true, or the path is one of the
//     deprecated .../watch/...;
//   - a log that is followed: the query parameter follow is true;
//   - the subresources exec, attach, portforward and proxy;
//   - another protocol: a CONNECT or an Upgrade header.
//
// A parameter is true, as for kube-apiserver, if it is there and its first value is
// neither 0 nor false. Its name must be written without percent signs. It is the
// default of Transport.Stream.
func IsStream(request *http.Request) bool {
	return switches(request) || asks(request, "watch") || asks(request, "follow") ||
		request.URL != nil && streamPath(request.URL.Path)
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
	if request.URL == nil {
		return false
	}
	watch, _ := special(request.URL.Path)
	return watch
}

// streamPath reports whether a path of the Kubernetes API is that of a deprecated
// watch, or of a subresource that is a stream.
func streamPath(path string) bool {
	watch, subresource := special(path)
	return watch || subresource != ""
}

// special returns whether a path of the Kubernetes API is that of a deprecated
// watch, and which subresource it is of that is a stream. The API may stand below a
// prefix.
func special(path string) (watch bool, subresource string) {
	if !strings.Contains(path, "/watch/") && !slices.ContainsFunc(streamSubresources, func(name string) bool {
		return strings.Contains(path, "/"+name)
	}) {
		return false, "" // most paths, and these need not be split
	}
	parts := strings.Split(path, "/")
	root := slices.IndexFunc(parts, func(part string) bool { return part == "api" || part == "apis" })
	if root < 0 {
		return false, ""
	}
	after := 2 // api and the version
	if parts[root] == "apis" {
		after = 3 // and the group
	}
	if parts = parts[min(root+after, len(parts)):]; len(parts) < 2 {
		return false, ""
	}
	if parts[0] == "watch" {
		return true, ""
	}
	if parts[0] == "namespaces" && len(parts) > 3 {
		parts = parts[2:]
	}
	if len(parts) > 2 && slices.Contains(streamSubresources, parts[2]) {
		return false, parts[2]
	}
	return false, ""
}

// streamSubresources are those whose answers need not end by themselves.
var streamSubresources = []string{"exec", "attach", "portforward", "proxy"}

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
	if switches(request) || commands(request) {
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

// commands reports whether a request opens a way into a Pod.
func commands(request *http.Request) bool {
	if request.URL == nil {
		return false
	}
	_, subresource := special(request.URL.Path)
	return subresource == "exec" || subresource == "attach" || subresource == "portforward"
}
