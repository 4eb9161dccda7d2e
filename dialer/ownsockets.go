package dialer

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"strings"

	"k8s.io/client-go/rest"
)

// refit is what becomes of a transport whose sockets are to be ours.
type refit struct {
	refuse func(theirs *http.Transport) error        // what of a user's transport cannot be kept; nil refuses nothing
	adopt  func(clone, theirs *http.Transport) error // sets the protocol of a user's transport
	change func(transport *http.Transport)           // sets its bounds
}

// ownSockets gives config d to dial with, on top of the user's own dial if there
// is one, and returns what prepares the transport that client-go builds around it,
// before its first request.
//
// client-go shares a transport among clients of equal configuration, but never
// one with a Dial function: each client made from a config with a Dial has a
// transport of its own, which may be changed while nothing has been sent on it.
// Nor does it keep one with a Proxy function for the next client, as it would one
// with a Dial: for ever, before v0.36, although no client can be equal.
// A transport that the user brought is cloned here instead, made to speak the
// protocol that adopt sets, and changed at once.
func ownSockets(config *rest.Config, d *Dialer, fit refit) (prepare func(http.RoundTripper), err error) {
	if config.Transport != nil {
		config.Transport, err = own(config.Transport, d, fit)
		return func(http.RoundTripper) {}, err
	}
	d.Dial = config.Dial
	if err := d.validate(); err != nil {
		return nil, err
	}
	config.Dial = d.DialContext
	if config.Proxy == nil {
		config.Proxy = http.ProxyFromEnvironment // what nil stands for
	}
	config.Proxy = routed(config.Proxy)
	files := followFiles(config)
	return func(rt http.RoundTripper) {
		if t := sockets(rt); t != nil {
			fit.change(t)
			files.follow(t)
		}
	}, nil
}

// own returns a round tripper whose sockets are ours and that is like theirs
// otherwise. Its idle connections are closed when nobody holds it any more.
func own(theirs http.RoundTripper, d *Dialer, fit refit) (http.RoundTripper, error) {
	original, ok := theirs.(*http.Transport)
	if !ok || original == nil {
		return nil, fmt.Errorf("config.Transport is a %T, it must be nil or an *http.Transport: %w", theirs, ErrOpaqueTransport)
	}
	//nolint:staticcheck // deprecated: a user's transport may still have the deprecated fields
	oldDial, oldDialTLS := original.Dial, original.DialTLS
	if original.DialTLSContext != nil || oldDialTLS != nil {
		return nil, fmt.Errorf("config.Transport has a DialTLSContext or DialTLS of its own, it must have neither: %w", ErrOpaqueTransport)
	}
	if fit.refuse != nil {
		if err := fit.refuse(original); err != nil {
			return nil, err
		}
	}
	d.Dial = original.DialContext
	if d.Dial == nil && oldDial != nil {
		d.Dial = ignoreContext(oldDial)
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	clone := original.Clone()
	for _, scheme := range []string{"https", "http"} {
		if by := registered(original, scheme); by != "" {
			return nil, fmt.Errorf("config.Transport has a %s registered for %s (RegisterProtocol), it must send %s itself: %w", by, scheme, scheme, ErrOpaqueTransport)
		}
	}
	if err := fit.adopt(clone, original); err != nil {
		return nil, err
	}
	fit.change(clone)
	clone.DialContext = d.DialContext
	if clone.Proxy == nil {
		clone.Proxy = http.ProxyURL(nil)
	}
	clone.Proxy = routed(clone.Proxy)
	o := &owned{clone: clone, original: original}
	closeWithout(o, clone)
	return o, nil
}

// registered returns the type of what a user has registered with a transport for a
// scheme, "" if that is nothing. The transport must have been cloned or used before: then
// it has registered HTTP/2 for https, if it speaks that, which is its own. net/http tells
// of this to nobody; where it has no such field any more, nothing is found.
func registered(t *http.Transport, scheme string) string {
	value := reflect.ValueOf(t).Elem().FieldByName("altProto") // an atomic.Value of a map
	if !value.IsValid() || value.Kind() != reflect.Struct || value.NumField() == 0 || value.Field(0).Kind() != reflect.Interface {
		return ""
	}
	protocols := value.Field(0).Elem()
	if !protocols.IsValid() || protocols.Kind() != reflect.Map {
		return ""
	}
	rt := protocols.MapIndex(reflect.ValueOf(scheme))
	if !rt.IsValid() || rt.IsNil() {
		return ""
	}
	if by := rt.Elem().Type().String(); !strings.HasSuffix(by, "oDialH2RoundTripper") {
		return by
	}
	return ""
}

// owned stands for a transport of the user's.
type owned struct{ clone, original *http.Transport }

// RoundTrip implements http.RoundTripper. Schemes other than HTTP's may be registered
// with the user's transport, of which a clone knows nothing.
func (o *owned) RoundTrip(request *http.Request) (*http.Response, error) {
	if u := request.URL; u != nil && u.Scheme != "https" && u.Scheme != "http" {
		return o.original.RoundTrip(request)
	}
	return o.clone.RoundTrip(request)
}

// CloseIdleConnections closes the connections that no request is using.
func (o *owned) CloseIdleConnections() { o.clone.CloseIdleConnections() }

// WrappedRoundTripper gives way to the transport with our sockets.
func (o *owned) WrappedRoundTripper() http.RoundTripper { return o.clone }

// closeWith has the idle connections of rt closed when nobody holds its only user
// any more: an idle connection keeps its transport, and that keeps the connection.
// What many may share does that itself.
func closeWith[T any](user *T, rt http.RoundTripper) {
	if _, shared := rt.(*owned); !shared {
		closeWithout(user, rt)
	}
}

// closeWithout has the idle connections of rt closed once nobody holds user any more, by a
// goroutine of their own: closing what the user has made may block.
func closeWithout[T any](user *T, rt http.RoundTripper) {
	runtime.AddCleanup(user, func(rt http.RoundTripper) { go quietly(context.Background(), func() { closeIdle(rt) }) }, rt)
}

// limited refuses a limit of connections that leaves no room for the attempts of a
// round trip: a hedge would wait for the very connection that it is to replace.
func limited(theirs *http.Transport, budget Budget) error {
	if most := theirs.MaxConnsPerHost; most > 0 && most < budget.attempts() {
		return fmt.Errorf("config.Transport has a MaxConnsPerHost of %d, it must be 0 or at least %d, the most attempts of one round trip", most, budget.attempts())
	}
	return nil
}
