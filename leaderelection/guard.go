package leaderelection

import (
	"context"
	"fmt"
	"io"
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/holdfast-go/holdfast/internal/apipath"
)

// guardedBy returns a copy of config whose changes are held to the terms of a tenure.
func guardedBy(t *tenure, config *rest.Config) *rest.Config {
	guarded := rest.CopyConfig(config)
	guarded.Wrap(transport.WrapperFunc(func(next http.RoundTripper) http.RoundTripper {
		return &guard{tenure: t, next: next}
	}))
	return guarded
}

// guard is the transport of Guard.
type guard struct {
	tenure *tenure
	next   http.RoundTripper
}

var _ utilnet.RoundTripperWrapper = (*guard)(nil)

// WrappedRoundTripper lets others see through the guard.
func (g *guard) WrappedRoundTripper() http.RoundTripper { return g.next }

// RoundTrip refuses a change outside of the term.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if readsOnly(req) {
		return g.next.RoundTrip(req)
	}
	term := g.tenure.of(req.Context())
	if err := standing(term); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as http.RoundTripper demands; nothing was read from it
		}
		return nil, fmt.Errorf("%s %s refused: %w", req.Method, req.URL.Path, err)
	}
	return change(req, term, func(req *http.Request) (*http.Response, error) { return g.send(req, term) })
}

// send sends a change that may take no longer than the rest of the term.
func (g *guard) send(req *http.Request, term *Term) (*http.Response, error) {
	ctx, cancel := term.clock.within(req.Context(), term.fastRest(term.clock.now()))
	response, err := g.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		defer cancel()
		return nil, explain(ctx, err)
	}
	bounded := &boundedBody{response.Body, cancel}
	response.Body = bounded
	if conn, both := bounded.ReadCloser.(io.Writer); both { // of 101: the caller writes to it as well
		response.Body = boundedConn{bounded, conn}
	}
	return response, nil
}

// standing returns why term does not permit a change, nil if it does.
func standing(term *Term) error {
	if term == nil {
		return ErrNotLeader
	}
	return term.Err()
}

// readsOnly reports whether a request changes nothing. One that opens a way into
// a Pod may, whatever its method: client-go asks for a websocket by GET.
func readsOnly(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return !apipath.IntoPod(req.URL.Path)
	}
	return false
}

// boundedBody ends the bound of a request when its answer has been read.
type boundedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *boundedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// boundedConn is the body of an answer that switches protocols.
type boundedConn struct {
	*boundedBody
	io.Writer
}
