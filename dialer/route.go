package dialer

import (
	"net/http"
	"net/url"
)

// What is known of the way to the server of a request, apart from the number of
// TLS handshakes on it.
const (
	wayUnknown  = 0
	wayStraight = -1 // a connection is ready when it is dialled
	waySilent   = -2 // nothing tells that it is ready until a request has it
)

// proxyFunc is http.Transport.Proxy.
type proxyFunc = func(*http.Request) (*url.URL, error)

// routed returns the proxy function that tells the trace of each request of the way
// which the request takes.
func routed(proxy proxyFunc) proxyFunc {
	return func(request *http.Request) (*url.URL, error) {
		via, err := proxy(request)
		if u := requestTraceOf(request.Context()); u != nil && err == nil && request.URL != nil {
			u.way.Store(route(request.URL.Scheme, via))
		}
		return via, err
	}
}

// route returns the number of TLS handshakes on the way to a server, or one of
// the constants where there are none.
func route(scheme string, via *url.URL) int32 {
	var handshakes int32
	if scheme == "https" {
		handshakes++
	}
	if via != nil && via.Scheme == "https" {
		handshakes++
	}
	switch {
	case handshakes > 0:
		return handshakes
	case via != nil && (via.Scheme == "socks5" || via.Scheme == "socks5h"):
		return waySilent
	}
	return wayStraight
}

// straight reports whether a connection for the request is ready when dialled.
func (r *requestTrace) straight() bool { return r != nil && r.way.Load() == wayStraight }

// handshakes is how many TLS handshakes make a connection for the request ready.
// Where the way is unknown, it is taken to have no proxy that speaks TLS.
func (r *requestTrace) handshakes() int32 { return max(r.way.Load(), 1) }
