package resourcelock

import (
	"iter"
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// longestChain bounds a walk down a chain of wrappers.
const longestChain = 64

// chain yields rt and everything below it that wrappers give way to.
func chain(rt http.RoundTripper) iter.Seq[http.RoundTripper] {
	return func(yield func(http.RoundTripper) bool) {
		for range longestChain {
			if rt == nil || !yield(rt) {
				return
			}
			wrapper, gives := rt.(utilnet.RoundTripperWrapper)
			if !gives {
				return
			}
			rt = wrapper.WrappedRoundTripper()
		}
	}
}

// keepIdle sets how many idle connections the transport below rt keeps at most, which
// must not have sent anything yet. What the user has set to less stays.
func keepIdle(rt http.RoundTripper, n int) {
	for link := range chain(rt) {
		if t, ok := link.(*http.Transport); ok {
			if t.MaxIdleConnsPerHost == 0 || t.MaxIdleConnsPerHost > n {
				t.MaxIdleConnsPerHost = n
			}
			return
		}
	}
}

// closeIdleConnections closes the idle connections of the first in the chain
// that can.
func closeIdleConnections(rt http.RoundTripper) {
	for link := range chain(rt) {
		if t, ok := link.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
			return
		}
	}
}
