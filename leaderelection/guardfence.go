package leaderelection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/transport"

	"github.com/holdfast-go/holdfast/leaderelection/fence"
)

const (
	// fenceBound is how long a change is sent again that the fence refuses while the
	// term lasts: an API server takes 167 ms at most to hear of a takeover (fence.Refused).
	fenceBound = time.Second
	// firstAgain and lastAgain bound the pauses meanwhile, which double.
	firstAgain = 10 * time.Millisecond
	lastAgain  = 250 * time.Millisecond
	// longestStatus is the longest answer that is looked into. A refusal by a fence is
	// some hundred bytes.
	longestStatus = 64 << 10
)

// FenceWrapper returns a wrapper (for rest.Config.Wrap) of the transport that the work
// writes through. elector returns the elector of the work, or nil while there is none.
// elector itself may be nil if the context of every such request is the work's, or
// derived from it (TermFromContext). Of elections within each other the innermost is
// meant then.
//
// When the fence of the election (package fence) refuses a change during a term, the
// wrapper tells the term, as Term.Fenced does. It sends the change again for up to a
// second while the term goes on, and after that returns the answer as it is. If the
// term ends meanwhile, the change fails with an error that wraps ErrNotLeader and the
// refusal. Guard does the same, and also refuses changes outside of a term, which
// FenceWrapper does not.
func FenceWrapper(elector func() *LeaderElector) transport.WrapperFunc {
	term := func(ctx context.Context) *Term {
		if elector != nil {
			if le := elector(); le != nil {
				return le.tenure.of(ctx)
			}
		}
		term, _ := TermFromContext(ctx)
		return term
	}
	return func(next http.RoundTripper) http.RoundTripper { return &fenceListener{term: term, next: next} }
}

// fenceListener is the transport of FenceWrapper.
type fenceListener struct {
	// term returns the term that a request with a context belongs to; nil for none.
	term func(context.Context) *Term
	next http.RoundTripper
}

var _ utilnet.RoundTripperWrapper = (*fenceListener)(nil)

// WrappedRoundTripper lets others see through it.
func (f *fenceListener) WrappedRoundTripper() http.RoundTripper { return f.next }

// RoundTrip sends a request, and listens to what a fence says of it.
func (f *fenceListener) RoundTrip(req *http.Request) (*http.Response, error) {
	if readsOnly(req) {
		return f.next.RoundTrip(req)
	}
	term := f.term(req.Context())
	if term == nil || term.Err() != nil {
		return f.next.RoundTrip(req)
	}
	return change(req, term, f.next.RoundTrip)
}

// change sends a change, and again while the fence refuses it though the term
// lasts.
func change(req *http.Request, term *Term, send func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	began, pause := term.clock.now(), firstAgain
	for first := true; ; first = false {
		response, err := send(req)
		if err != nil || response.StatusCode != http.StatusForbidden {
			return response, err
		}
		refusal := refusalOf(response, term)
		if refusal == nil {
			return response, nil
		}
		if first {
			term.fencedBy(refusal)
		}
		if term.clock.now().monoSince(began)+pause > fenceBound {
			return response, nil
		}
		again := repeated(req)
		if again == nil {
			return response, nil
		}
		_ = response.Body.Close()
		if err := term.await(req, pause); err != nil {
			if again.Body != nil {
				_ = again.Body.Close()
			}
			return nil, fmt.Errorf("%s %s refused: %w: %w", req.Method, req.URL.Path, err, refusal)
		}
		req, pause = again, min(2*pause, lastAgain)
	}
}

// statuses reads a Status in each encoding that a client may have asked for.
var statuses = func() runtime.Decoder {
	known := runtime.NewScheme()
	metav1.AddToGroupVersion(known, schema.GroupVersion{Version: "v1"})
	return serializer.NewCodecFactory(known, serializer.WithSerializer(cbor.NewSerializerInfo)).UniversalDeserializer()
}()

// refusalOf returns the refusal that a response is, if it is one by the fence of the
// term's election. What it reads of the response can be read again.
func refusalOf(response *http.Response, term *Term) error {
	lease, ok := term.lease()
	if !ok {
		return nil
	}
	body := response.Body
	read, err := io.ReadAll(io.LimitReader(body, longestStatus))
	response.Body = &rereadable{io.MultiReader(bytes.NewReader(read), body), body}
	if err != nil {
		return nil // its reader meets the error too
	}
	object, _, err := statuses.Decode(read, nil, nil)
	if err != nil {
		return nil
	}
	status, ok := object.(*metav1.Status)
	if !ok || !fence.RefusedStatus(*status, lease) {
		return nil
	}
	return &apierrors.StatusError{ErrStatus: *status}
}

// rereadable is a body of which a part was read before.
type rereadable struct {
	io.Reader
	io.Closer
}

// repeated returns the same request once more, nil where its body cannot be had
// again.
func repeated(req *http.Request) *http.Request {
	again := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return again
	}
	if req.GetBody == nil {
		return nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil
	}
	again.Body = body
	return again
}

// await waits for d. It returns an error if the term or the request has ended before.
func (t *Term) await(req *http.Request, d time.Duration) error {
	timer := t.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return t.Err()
	case <-t.done:
		return t.Err()
	case <-req.Context().Done():
		return errors.Join(t.Err(), req.Context().Err())
	}
}
