package dialer

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// ErrOpaqueTransport is wrapped by the error of Harden and HardenTraffic when
// rest.Config.Transport is a round tripper whose sockets are out of reach: it
// is no *http.Transport, or one that dials TLS itself.
var ErrOpaqueTransport = errors.New("the transport hides its sockets, they cannot be hardened")

// Harden returns a changed copy of config for one small client, such as that of
// a lock, whose every call ends within budget.Answer: one call of the client is
// one call of a Transport, which says what is sent how often and what the bound
// covers. Each HTTP client made from the copy has a transport of its own that
// shares no connection and no rate limiter with other clients and speaks
// HTTP/1.1. config is not changed.
//
// By default only what HTTP calls idempotent is sent more than once; WithHedgeable
// changes that. Every answer but a stream is taken in whole within the bound, up
// to budget.MaxBody; a stream is a watch, a log that is followed and an upgraded
// connection, which WithStreams changes.
//
// Whatever else the user has configured goes on working: certificates and their
// rotation, bearer tokens, exec plugins, impersonation, proxies, a Dial of the
// user's own (it becomes Dialer.Dial) and WrapTransport (it runs within the
// bounds, once for each attempt; what it panics with reaches the caller).
// Credentials that plugins fetch are fetched outside the bounds. A Transport in
// config is cloned if it is an *http.Transport (clients made from the copy share
// the clone), otherwise the error wraps ErrOpaqueTransport. Protocols that were
// registered with it are served by it itself; a MaxConnsPerHost of it stays, and is
// an error if it leaves no room for the attempts of one round trip. LocalAddr and
// Control of the sockets need no Dial: see WithLocalAddr and WithControl.
//
// With a client-go before v0.36, which would watch the certificate files of every
// client for ever, they are followed here as it follows them, and CertData and
// KeyData of the copy have their contents. A CA file that changes is read again where
// client-go does that, which is since v0.36.
//
// client-go does not sleep or try again inside of a call. A server that asks to
// wait (Retry-After) is not obeyed there: the call returns, and its error tells
// the wait (errors.SuggestsClientDelay of k8s.io/apimachinery/pkg/api/errors). And
// an error does not look to client-go like one of those after which it would make
// the call again: errors.Is and errors.As find its causes, a *Error among them,
// but it says Timeout only if the caller's own deadline has passed, and it holds
// no syscall.Errno of ECONNRESET for errors.As.
//
// Each request but a stream's tells the server how long it is waited for (the
// query parameter timeout), as client-go's do for a Timeout, so that what was
// given up here is not executed much later. Timeout itself becomes zero, because
// the bounds are kept here and it would end watches; one that is less than a bound
// of budget takes its place. QPS becomes -1 and RateLimiter nil. Where the operating system has no user timeout the mode falls
// back to NewConnections. A nil config and a budget that does not Validate are
// errors. Harden a config only once. StatsOf says what became of a client's
// connections and requests, see also WithMeter.
func Harden(config *rest.Config, budget Budget, opts ...Option) (*rest.Config, error) {
	if config == nil {
		return nil, errors.New("dialer: Harden: config is nil, it must be a *rest.Config")
	}
	if err := budget.Validate(); err != nil {
		return nil, err
	}
	budget = budget.within(config.Timeout).WithDefaults()
	budget.Mode = budget.Mode.kept()

	chosen := choose(opts)
	hardened := rest.CopyConfig(config)
	hardened.NextProtos = []string{"http/1.1"}
	hardened.Timeout = 0
	hardened.QPS, hardened.Burst, hardened.RateLimiter = -1, 0, nil
	d := budget.dialer(nil)
	d.use = budget.Answer
	chosen.apply(d)
	prepare, err := ownSockets(hardened, d, refit{
		refuse: func(theirs *http.Transport) error { return limited(theirs, budget) },
		adopt:  func(clone, _ *http.Transport) error { speakHTTP1(clone); return nil },
		change: func(t *http.Transport) { tune(t, budget) },
	})
	if err != nil {
		return nil, fmt.Errorf("dialer: Harden: %w", err)
	}
	wrap := config.WrapTransport
	hardened.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
		prepare(rt)
		t := &Transport{
			Base: rt, Budget: budget, Hedgeable: chosen.hedgeable, Stream: chosen.stream, Meter: chosen.meter,
			sockets: rt, announce: true,
		}
		if wrap != nil {
			t.Base = wrap(rt)
		}
		closeWith(t, rt)
		return &unhurried{base: t}
	}
	return hardened, nil
}

// HardenTraffic returns a changed copy of config for the rest of a controller's
// traffic (informers, clients), in which a peer that goes silent is noticed and
// dropped within about the given bound. A connection is ready for requests within
// the bound from its dial on, proxies and TLS handshake included, or closed. HTTP/2 stays, with its pings scaled to
// the bound; sockets get it as their user timeout; dials are hedged. Requests
// are not hedged, and Timeout and rate limits stay as the user set them. Over
// HTTP/1.1 there are no pings, so a peer that still acknowledges but no longer
// answers is not noticed. Connections and requests are counted as Harden's
// are. config is not changed; what Harden says of certificates, Dial,
// WrapTransport and Transport holds here as well. A nil config and a bound that
// is not positive are errors.
func HardenTraffic(config *rest.Config, within time.Duration, opts ...Option) (*rest.Config, error) {
	if config == nil {
		return nil, errors.New("dialer: HardenTraffic: config is nil, it must be a *rest.Config")
	}
	if within <= 0 {
		return nil, fmt.Errorf("dialer: HardenTraffic: within is %v, it must be positive", within)
	}
	chosen, lost := choose(opts), new(atomic.Int64)
	hardened := rest.CopyConfig(config)
	d := &Dialer{Connect: within, Hedge: min(defaultDialHedge, within/4), Silence: within, lost: lost, use: within}
	chosen.apply(d)
	prepare, err := ownSockets(hardened, d, refit{
		adopt:  keepHTTP2,
		change: func(t *http.Transport) { lost.Store(int64(ping(t, within))) },
	})
	if err != nil {
		return nil, fmt.Errorf("dialer: HardenTraffic: %w", err)
	}
	wrap := config.WrapTransport
	hardened.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
		prepare(rt)
		t := &traffic{base: rt, meter: chosen.meter}
		if wrap != nil {
			t.base = wrap(rt)
		}
		closeWith(t, rt)
		if t.meter == nil {
			t.meter = new(Meter)
		}
		return t
	}
	return hardened, nil
}
