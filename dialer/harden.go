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

// Harden returns a changed copy of config for one small client, such as that of a
// lock, whose every call ends within budget.Answer. A call of the client is a call
// of a Transport, which says what is sent how often and what the bound covers. Each
// HTTP client made from the copy has a transport of its own, which speaks HTTP/1.1
// and shares no connection and no rate limiter with other clients. config is not
// changed. Harden a config only once.
//
// A nil config, a budget that does not Validate, and whatever below cannot be kept are
// errors.
//
// # What may be chosen
//
// WithHedgeable says what is sent more than once, by default what HTTP calls
// idempotent. WithStreams says what is a stream; every other answer is taken in whole,
// up to budget.MaxBody. WithLocalAddr and WithControl are for sockets, so that they
// need no Dial. WithMeter has connections and requests counted, as StatsOf reads.
//
// # What the user has set
//
// Certificates and their rotation, tokens, exec plugins, impersonation and proxies go
// on working. Credentials that plugins fetch are fetched outside the bounds. Dial becomes
// Dialer.Dial. WrapTransport runs within the bounds, once for each attempt, and what it
// panics with reaches the caller.
//
// A Transport in config is cloned if it is an *http.Transport; clients made from the
// copy share the clone. Protocols that are registered with it are served by it itself,
// but one registered for http or https hides the sockets. So do DialTLSContext, DialTLS
// and a Transport of any other type: then the error wraps ErrOpaqueTransport. A
// MaxConnsPerHost stays, and is an error if it leaves no room for the attempts of a call.
//
// Timeout becomes zero, since it would end watches. If it is less than the bound of a
// call it takes that bound's place. QPS becomes -1 and RateLimiter nil. The mode becomes
// NewConnections where the operating system has no user timeout.
//
// # What client-go does inside of a call
//
// It does not sleep or try again. A server that asks to wait (Retry-After) is not
// obeyed there: the call returns, and its error tells the wait
// (errors.SuggestsClientDelay of k8s.io/apimachinery/pkg/api/errors); in the answer's
// header it has become a date. And no error looks to client-go like one of those after
// which it makes a call again: errors.Is and errors.As find the causes, a *Error among
// them, but Timeout is true only if the caller's own deadline has passed, and errors.As
// finds no syscall.Errno of ECONNRESET.
//
// Each request but a stream's tells the server how long it is waited for (the query
// parameter timeout), as client-go's do for a Timeout, so that what was given up here
// is not executed much later.
//
// A client-go before v0.36 would watch the certificate files of every client for ever.
// There Harden has them followed in its place, and CertData and KeyData of the copy have
// their contents. A CA file that changes is read again only since v0.36.
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
	d.untilTaken = budget.Answer
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
		return &retryAfterInBody{base: t}
	}
	return hardened, nil
}

// HardenTraffic returns a changed copy of config for the rest of a controller's
// traffic (informers, clients), in which a peer that goes silent is noticed and
// dropped within about the given bound:
//
//   - a connection is ready for requests within the bound from its dial on, proxies and
//     TLS handshake included, or is closed; dials are hedged;
//   - the bound is each socket's user timeout;
//   - HTTP/2 stays, with pings that find a silent peer within the bound. Over HTTP/1.1
//     there are none: a peer that still acknowledges and no longer answers is not noticed.
//
// What the user has bounded more tightly stays. Requests are not hedged, and answers
// are not bounded: Timeout and rate limits are the user's. What Harden
// says of certificates, Dial, WrapTransport and Transport, and of what may be chosen
// for sockets and with WithMeter, holds here too, but MaxConnsPerHost may be anything. An
// http2.Transport that was set up for a Transport keeps its settings; a ConnPool of its
// own is an error. config is not changed. A nil config and a bound that is not positive
// are errors.
func HardenTraffic(config *rest.Config, within time.Duration, opts ...Option) (*rest.Config, error) {
	if config == nil {
		return nil, errors.New("dialer: HardenTraffic: config is nil, it must be a *rest.Config")
	}
	if within <= 0 {
		return nil, fmt.Errorf("dialer: HardenTraffic: within is %v, it must be positive", within)
	}
	chosen, lost := choose(opts), new(atomic.Int64)
	hardened := rest.CopyConfig(config)
	d := &Dialer{Connect: within, Hedge: min(defaultDialHedge, within/4), Silence: within, lost: lost, untilTaken: within}
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
		t := &meteredTransport{base: rt, meter: chosen.meter}
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
