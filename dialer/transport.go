package dialer

import (
	"crypto/tls"
	"net/http"
	"sync"
)

// Transport is an http.RoundTripper whose every round trip ends within
// Budget.Answer. A request that is not answered soon is hedged: after
// Budget.Hedge another attempt goes out on a new connection, the first answer
// wins and the others are cancelled, their connections closed with them. An
// attempt that fails is made again, twice at once and then at the pace of
// Hedge. There are at most 2*Answer/Hedge attempts, never more than 24.
//
// An answer that refuses (429, 502, 503, 504) is not the last word: up to two
// more attempts go out on new connections, each for the price of a hedge, and
// only if they fare no better is the refusal the answer.
//
// An answer is the headers and, if its length is known and at most 1 MiB, the
// body. A longer body, one of unknown length and a watch are the caller's to
// read: they are not bounded by Answer and end with the request's context. The
// error of a round trip without an answer is an *Error.
//
// Hedging sends a request twice. The lock client may do so because each of its
// writes carries the resourceVersion it is based on, so that the second of two
// equal writes is refused. Set Hedgeable for anything else.
//
// A token bucket bounds the load: hedges draw on ten tokens, and ten requests
// earn one. A hedge that never got as far as a TLS handshake costs nothing, nor
// does one that was left there while another was answered at once, nor one that
// shows the first attempt's connection to have died: it was a kept one, and the
// answer came sooner than Hedge once asked for elsewhere. So dead connections do
// not drain the bucket; a server that is slow for everyone does.
//
// A Transport is safe for concurrent use while its fields are not changed. It
// must not be copied after first use.
type Transport struct {
	// Base sends the attempts. It should speak HTTP/1.1: over HTTP/2 a second
	// attempt shares the connection of the first, and a cancelled attempt leaves
	// it open. Nil is a transport of our own: hardened sockets, HTTP/1.1, the
	// environment's proxy.
	Base http.RoundTripper

	// Budget holds the bounds. Answer is required; RoundTrip fails with what
	// Budget.Validate says.
	Budget Budget

	// Hedgeable says whether a request may be sent more than once. Nil allows it
	// for every request whose body can be replayed (http.Request.GetBody), which
	// is right for a client whose writes are conditional. Outside of a lock
	// client, allow only requests that are idempotent. A request that is not
	// allowed is sent once and still bounded.
	Hedgeable func(*http.Request) bool

	// Meter counts requests, and the connections of the transport that stands in
	// for a nil Base or of any Dialer below that has no Meter itself. Nil is a
	// Meter of the Transport's own.
	Meter *Meter

	sockets http.RoundTripper // holds the idle connections if Base may hide them; nil is Base
	tokens  bucket
	fresh   freshening
	tally   Meter

	once sync.Once
	own  *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	budget := t.Budget
	if err := budget.Validate(); err != nil {
		closeBody(request)
		return nil, err
	}
	budget = budget.WithDefaults()
	budget.Mode = budget.Mode.kept()
	c := &call{
		transport: t,
		base:      t.WrappedRoundTripper(),
		budget:    budget,
		request:   request,
		once:      !replayable(request) || t.Hedgeable != nil && !t.Hedgeable(request),
		results:   make(chan outcome),
	}
	return c.run(request.Context())
}

// WrappedRoundTripper returns Base, or the transport that stands in for it. It
// implements RoundTripperWrapper of k8s.io/apimachinery/pkg/util/net.
func (t *Transport) WrappedRoundTripper() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	t.once.Do(func() {
		budget := t.Budget.WithDefaults()
		t.own = &http.Transport{
			Proxy:       http.ProxyFromEnvironment,
			DialContext: budget.dialer(nil).DialContext,
		}
		speakHTTP1(t.own)
		tune(t.own, budget)
	})
	return t.own
}

// Stats returns what the Transport's Meter has counted.
func (t *Transport) Stats() Stats { return t.meter().Stats() }

func (t *Transport) meter() *Meter {
	if t.Meter != nil {
		return t.Meter
	}
	return &t.tally
}

// CloseIdleConnections closes the connections that no request is using.
func (t *Transport) CloseIdleConnections() {
	if t.sockets != nil {
		closeIdle(t.sockets)
		return
	}
	closeIdle(t.WrappedRoundTripper())
}

// tune fits a transport that nobody else uses to a completed budget. What the
// user has bounded more tightly stays.
func tune(t *http.Transport, budget Budget) {
	// A handshake that misses Connect gets another attempt beside it (call.overdue)
	// and may go on: where a server is slow for everyone, what it has begun would
	// be lost, and all who were thrown out would come again.
	if t.TLSHandshakeTimeout <= 0 || t.TLSHandshakeTimeout > budget.Answer {
		t.TLSHandshakeTimeout = budget.Answer
	}
	// A limit would make a hedge wait for the connection it is to replace.
	t.MaxConnsPerHost = 0
	if budget.Mode.kept() == Fresh {
		t.DisableKeepAlives = true
	}
}

// speakHTTP1 keeps a transport from negotiating HTTP/2.
func speakHTTP1(t *http.Transport) {
	t.ForceAttemptHTTP2 = false
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.TLSNextProto = nil
	if t.TLSClientConfig != nil {
		t.TLSClientConfig = t.TLSClientConfig.Clone()
	} else {
		t.TLSClientConfig = new(tls.Config)
	}
	t.TLSClientConfig.NextProtos = []string{"http/1.1"}
}
