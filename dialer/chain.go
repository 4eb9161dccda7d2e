package dialer

import (
	"iter"
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// maxChain bounds every walk down a chain of wrappers, so that a chain that
// bites its own tail ends.
const maxChain = 64

// chain yields rt and everything below it that wrappers give way to.
func chain(rt http.RoundTripper) iter.Seq[http.RoundTripper] {
	return func(yield func(http.RoundTripper) bool) {
		for range maxChain {
			if rt == nil || !yield(rt) {
				return
			}
			wrapper, ok := rt.(utilnet.RoundTripperWrapper)
			if !ok {
				return
			}
			rt = wrapper.WrappedRoundTripper()
		}
	}
}

// Hardened finds the Transport in a chain of round trippers that give way to
// what they wrap (as client-go's do) and returns its budget, completed by
// WithDefaults. It reports false for a chain without one, and for one whose
// wrappers hide it.
func Hardened(rt http.RoundTripper) (Budget, bool) {
	for link := range chain(rt) {
		if t, ok := link.(*Transport); ok && t != nil {
			return t.Budget.WithDefaults(), true
		}
	}
	return Budget{}, false
}

// sockets finds the transport at the end of the chain, nil if it is hidden.
func sockets(rt http.RoundTripper) *http.Transport {
	for link := range chain(rt) {
		if t, ok := link.(*http.Transport); ok {
			return t
		}
	}
	return nil
}

// closeIdle closes the idle connections of the first in the chain that has any.
func closeIdle(rt http.RoundTripper) {
	for link := range chain(rt) {
		if t, ok := link.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
			return
		}
	}
}
