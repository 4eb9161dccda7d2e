// Package redirect bounds the redirects of a call to the API, and lets whoever has
// a budget of requests pay for them: http.Client follows them by itself, so that one
// call may be ten requests.
package redirect

import (
	"context"
	"fmt"
	"net/http"
)

// Most is how many redirects a call follows: a proxy may lead to another scheme and
// to another host. The API server itself redirects nobody who asks for an object.
const Most = 2

type key struct{}

// Paid returns a context for calls whose redirects are paid for: pay is called before
// each that is followed, in the goroutine that sends it.
func Paid(ctx context.Context, pay func()) context.Context {
	return context.WithValue(ctx, key{}, pay)
}

// Limit returns a round tripper that sends no more than Most requests that follow a
// redirect for one call, and has them paid for. It must stand above whatever retries.
func Limit(next http.RoundTripper) http.RoundTripper { return limit{next} }

type limit struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (l limit) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Response == nil {
		return l.next.RoundTrip(request)
	}
	if n := followed(request); n > Most {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, fmt.Errorf("redirected %d times, at last to %s://%s%s, it must be no more than %d: set the host of the configuration to the API server's own address",
			n, request.URL.Scheme, request.URL.Host, request.URL.Path, Most)
	}
	if pay, paid := request.Context().Value(key{}).(func()); paid {
		pay()
	}
	return l.next.RoundTrip(request)
}

// followed returns how many redirects have led to a request, as far as it matters.
// http.Client says in Request.Response which answer a request follows.
func followed(request *http.Request) (n int) {
	for ; n <= Most && request.Response != nil && request.Response.Request != nil; n++ {
		request = request.Response.Request
	}
	return n
}

// WrappedRoundTripper gives way to what is below.
func (l limit) WrappedRoundTripper() http.RoundTripper { return l.next }

// CloseIdleConnections closes the connections that no request is using.
func (l limit) CloseIdleConnections() {
	if closer, closes := l.next.(interface{ CloseIdleConnections() }); closes {
		closer.CloseIdleConnections()
	}
}
