package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// leaseName and namespace are where the lease is.
const (
	leaseName = "lease"
	namespace = "simulated"
)

// overHTTP returns the process's lock as a factory makes it, with a transport
// whose round trips are the world's.
func (p *Process) overHTTP() rl.Interface {
	config := &rest.Config{
		Host:          "http://api",
		WrapTransport: func(http.RoundTripper) http.RoundTripper { return transport{p} },
	}
	factory, err := rl.NewFactory(config, rl.Options{
		RenewDeadline: p.Timing.Deadline, LeaseDuration: p.Timing.Lease, RetryPeriod: p.Timing.Retry,
	})
	if err != nil {
		panic(err) // a configuration that the simulation drew and that is not valid
	}
	lock, err := factory.Lock(rl.LeasesResourceLock, namespace, leaseName, rl.ResourceLockConfig{
		Identity: p.Identity, EventRecorder: recorder{p},
	})
	if err != nil {
		panic(err)
	}
	if p.host.together { // a lock on another Lease makes the factory watch the namespace
		if _, err := factory.Lock(rl.LeasesResourceLock, namespace, "another", rl.ResourceLockConfig{Identity: p.Identity}); err != nil {
			panic(err)
		}
	}
	if p.host.plain {
		return plainLock{lock}
	}
	return lock
}

// recorder records events for a process.
type recorder struct{ p *Process }

func (r recorder) Eventf(_ runtime.Object, _, _, _ string, args ...any) {
	r.p.record("")
}

// transport is a process's way to the Lease API.
type transport struct{ p *Process }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	p := t.p
	body, err := readBody(request)
	if err != nil {
		return nil, err
	}
	ctx := request.Context()
	var s state
	switch {
	case request.Method == http.MethodGet && request.URL.Query().Get("watch") != "":
		return t.watch(request)
	case request.Method == http.MethodGet:
		s, err = p.roundTrip(ctx, "read", t.get)
	case request.Method == http.MethodPost || request.Method == http.MethodPut:
		s, err = t.put(ctx, body)
	default:
		err = apierrors.NewMethodNotSupported(leases, request.Method)
	}
	if errors.Is(err, errSwallowed) {
		s, err = t.standing()
	}
	if err != nil {
		return refusal(request, err)
	}
	return answer(request, http.StatusOK, s.object)
}

// standing returns what is stored, for whoever takes it for what he has written.
func (t transport) standing() (state, error) {
	t.p.world.mu.Lock()
	defer t.p.world.mu.Unlock()
	if s := t.p.world.store.current(); s.object != nil {
		return s, nil
	}
	return state{}, errRefused // nothing that could be shown
}

func readBody(request *http.Request) ([]byte, error) {
	if request.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(request.Body)
	return body, errors.Join(err, request.Body.Close())
}

// get returns the current state. That there is no Lease is news like any other,
// and answered 404.
func (t transport) get() (state, error) { return t.p.world.store.current(), nil }

func (t transport) put(ctx context.Context, body []byte) (state, error) {
	p, w := t.p, t.p.world
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return state{}, apierrors.NewBadRequest(err.Error())
	}
	lease, ok := object.(*coordinationv1.Lease)
	if !ok {
		return state{}, apierrors.NewBadRequest("the body is no Lease")
	}
	record := *rl.LeaseSpecToLeaderElectionRecord(&lease.Spec)
	base := lease.ResourceVersion
	if _, wishes := lease.Annotations[rl.WishAnnotation]; wishes && record.HolderIdentity != "" && record.HolderIdentity != p.Identity {
		return p.wish(ctx, base, func(s *state) {
			s.object = s.object.DeepCopy()
			s.object.Annotations = lease.Annotations
		})
	}
	written, known := p.hedged(body)
	if !known {
		if written = p.writing(base, record); written == nil {
			return state{}, errDead
		}
		p.first(body, written)
	}
	lease.TypeMeta = metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}
	written.object = lease
	written.Record = record
	written.lease = p.Timing.Lease
	if p.host.plain {
		written.lease = whole(record)
	}
	if record.HolderIdentity == "" {
		written.lease = 0
	}
	written.Duration = written.lease
	w.mutate(written)
	return p.roundTrip(ctx, "write", func() (state, error) { return w.execute(p, base, *written) })
}

// hedged returns what is known of a write that was sent before.
func (p *Process) hedged(body []byte) (*state, bool) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	known, ok := p.bodies[string(body)]
	if !ok {
		return nil, false
	}
	again := *known
	return &again, true
}

// first notes what is known of a write.
func (p *Process) first(body []byte, written *state) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	if p.bodies == nil || len(p.bodies) > 100 {
		p.bodies = map[string]*state{}
	}
	first := *written
	p.bodies[string(body)] = &first
}

// watch answers with a stream of events.
func (t transport) watch(request *http.Request) (*http.Response, error) {
	p := t.p
	ctx := request.Context()
	from := request.URL.Query().Get("resourceVersion")
	s, next, err := p.openWatch(ctx, from)
	if err != nil {
		return refusal(request, err)
	}
	out, in := io.Pipe()
	go func() {
		defer p.closeWatch(s)
		encoder := json.NewEncoder(in)
		last := p.world.known(next)
		err := p.follow(ctx, s, next, func(s state) error {
			event := eventOf(last, s)
			last = s
			return encoder.Encode(event)
		})
		if isStatus(err) {
			_ = encoder.Encode(metav1.WatchEvent{Type: string(watch.Error), Object: runtime.RawExtension{Object: statusOf(err)}})
			err = nil
		}
		_ = in.CloseWithError(err) // nil ends the stream in good order
	}()
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: out, ContentLength: -1, Request: request,
	}, nil
}

// known returns the state before a position in the history.
func (w *World) known(position int) state {
	w.mu.Lock()
	defer w.mu.Unlock()
	if position == 0 {
		return state{}
	}
	return w.store.history[position-1]
}

// eventOf is what a watch tells of s, which follows last.
func eventOf(last, s state) metav1.WatchEvent {
	switch {
	case s.Exists() && last.Exists():
		return metav1.WatchEvent{Type: string(watch.Modified), Object: runtime.RawExtension{Object: s.object}}
	case s.Exists():
		return metav1.WatchEvent{Type: string(watch.Added), Object: runtime.RawExtension{Object: s.object}}
	}
	gone := &coordinationv1.Lease{}
	if last.object != nil {
		gone = last.object.DeepCopy()
	}
	gone.TypeMeta = metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}
	gone.Name, gone.Namespace = leaseName, namespace
	gone.ResourceVersion = strconv.FormatUint(s.version, 10)
	return metav1.WatchEvent{Type: string(watch.Deleted), Object: runtime.RawExtension{Object: gone}}
}

func isStatus(err error) bool {
	var status *apierrors.StatusError
	return errors.As(err, &status)
}

func statusOf(err error) *metav1.Status {
	status := &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: err.Error()}
	var known *apierrors.StatusError
	if errors.As(err, &known) {
		*status = known.Status()
	}
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	return status
}

// refusal answers with an error of the API, or fails with one of the network.
func refusal(request *http.Request, err error) (*http.Response, error) {
	if !isStatus(err) {
		return nil, err
	}
	status := statusOf(err)
	response, err := answer(request, int(status.Code), status)
	if err == nil && status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		response.Header.Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	return response, err
}

func answer(request *http.Request, code int, object runtime.Object) (*http.Response, error) {
	if lease, ok := object.(*coordinationv1.Lease); ok && lease == nil {
		code, object = http.StatusNotFound, statusOf(apierrors.NewNotFound(leases, leaseName))
	}
	body, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)), Request: request,
	}, nil
}
