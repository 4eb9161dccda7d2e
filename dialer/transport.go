package dialer

import (
	"crypto/tls"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// defaultIdle is how long a transport of our own keeps a connection that nobody
// uses, as http.DefaultTransport does.
const defaultIdle = 90 * time.Second

// Transport is an http.RoundTripper whose every call ends within a bound
// (Budget.Answer): with an answer, taken in whole, or with an *Error. An answer
// is headers and body, whatever the body's length or encoding; only the body of
// a stream (Stream) is the caller's to read, and lasts as long as the request's
// context. The bound is of the call: redirects that an http.Client follows are
// part of it.
//
// # What is sent how often
//
// Hedgeable says which requests may be sent more than once. Such a request is hedged
// if it is not answered soon: after Budget.Hedge another attempt goes out on a new
// connection. The first answer wins; the other attempts are cancelled and their
// connections closed. An attempt that fails is made again, the first two at once and
// later ones at the pace of Hedge. A call makes at most 2*Answer/Hedge attempts (but
// may make four), and never more than 24.
//
// Any other request is sent once. It is made again only if no connection was made
// for it, so that no server can have seen it.
//
// # What ends a call early
//
// An error that another attempt cannot change is returned at once: the request cannot
// be sent; a round tripper, Proxy, Dial or Control below refuses it (by an error that
// is none of the network); the body of the answer is longer than Budget.MaxBody, or its
// headers are longer than net/http allows. If an earlier attempt is still under way it
// has Budget.Connect more to be answered.
//
// Two more connections are tried where one side does not trust the other's certificate
// or a proxy refuses, since another server may stand behind the same address. Two more
// are tried after an answer of 429, 502, 503 or 504, if the request may be sent twice.
// Where they fare no better that answer is the call's.
//
// # What bounds the load
//
// Further attempts are paid for from a bucket of ten tokens, to which every ten
// requests add one. An attempt costs one token, unless the one before it failed without
// having reached a server. Without a token there is no further attempt, but for two
// cases: a TLS handshake that takes longer than Budget.Connect, and an answer that has
// begun and stops for as long. Where this process is short of CPU, or answers take longer
// than Hedge, ten requests add a quarter of a token.
//
// A request is not hedged, for half of its bound at most, while those that were sent before
// it are answered and none that was sent after it: it is about to be answered.
//
// A hedge's token is given back if the hedge got no further than its dial; if it was
// still in its TLS handshake when another attempt was answered at once; and if it shows
// that a kept connection had died (the first attempt was on such a one, and the hedge was
// answered within Hedge). So dead connections do not use up the tokens, but a server
// that is slow for everyone does.
//
// A Transport that makes its own sockets (without a Base, or with Harden's) makes at most
// eight connections to an address at once (three where this process is short of CPU),
// from the dial to the end of the TLS handshake, also where nobody waits for them any more. One does not count that takes longer than twice
// Budget.Connect and twice what others take, or that as many later ones have overtaken as may be made at once. A
// request that waits for a connection takes one that becomes idle. It is not hedged while
// it waits for one to be made, and requests with no other attempt under way go first.
//
// # Round trippers below
//
// A round tripper below that ignores its context does not delay a call. While 256
// attempts have not returned although their calls were over, further calls fail at
// once. A panic of a round tripper below, or of a Dial, a Control or a Trace that a dial
// calls, is raised again in the goroutine that called RoundTrip.
//
// A Transport is safe for concurrent use while its fields are not changed. It
// must not be copied after first use.
type Transport struct {
	// Base sends the attempts. It should speak HTTP/1.1: over HTTP/2 a second
	// attempt shares the connection of the first, and a cancelled attempt leaves
	// it open. Where an HTTP/2 server sends requests away unexecuted (GOAWAY), an
	// http.Transport sends them again by itself, without end. It then waits between one
	// new connection and the next; all attempts of a call share these pauses. Nil is a
	// transport of our own: hardened sockets, HTTP/1.1, the environment's proxy.
	Base http.RoundTripper

	// Budget holds the bounds. Answer is required; RoundTrip fails with what
	// Budget.Validate says.
	Budget Budget

	// Hedgeable says whether a request may be sent more than once. Nil allows:
	//
	//   - the methods that HTTP calls idempotent (RFC 9110, section 9.2.2): GET, HEAD,
	//     OPTIONS, TRACE, PUT, DELETE;
	//   - a request with an Idempotency-Key or X-Idempotency-Key header, as net/http does;
	//
	// but neither a request for another protocol (an Upgrade header) nor one that runs a
	// command in a Pod or opens a port of it.
	//
	// Idempotent means that sending a request twice has the effect of sending it once. The
	// answers may differ: a DELETE that is sent twice may be answered 404, or 409 for its
	// precondition, because its first sending has deleted the object, and an
	// unconditional PUT may undo what another client wrote in between. Who must tell these
	// cases apart returns false for such a request.
	//
	// A client whose every write is conditional may allow more: of two equal writes
	// that carry the same resourceVersion, the second is refused. Whatever Hedgeable
	// says, a request whose body cannot be replayed (http.Request.GetBody) is sent once.
	Hedgeable func(*http.Request) bool

	// Stream says whether the answer to a request is a stream, which may go on for
	// ever: its opening is bounded by Budget.Open and its body by the request's
	// context alone. Nil is IsStream: watches, logs that are followed, upgrades. An
	// answer that is no success is never a stream, and 101 (Switching Protocols)
	// always is.
	Stream func(*http.Request) bool

	// Meter counts requests, and the connections of the transport that stands in
	// for a nil Base or of any Dialer below that has no Meter itself. Nil is a
	// Meter of the Transport's own.
	Meter *Meter

	sockets  http.RoundTripper // holds the idle connections if Base may hide them; nil is Base
	announce bool              // requests tell the API server how long they are waited for
	tokens   bucket
	deaf     atomic.Int64 // attempts that go on long after their calls were over
	learned  patience
	order    order
	fresh    idleClosing
	making   handshakes            // the connections under way
	traces   atomic.Bool           // Base tells which connections its requests ask for
	tally    atomic.Pointer[Meter] // apart, since connections keep it, and must not keep the Transport

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
	return t.newCall(request, budget).run(request.Context())
}

// WrappedRoundTripper returns Base, or the transport that stands in for it. It
// implements RoundTripperWrapper of k8s.io/apimachinery/pkg/util/net.
func (t *Transport) WrappedRoundTripper() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	t.once.Do(func() {
		budget := t.Budget.WithDefaults()
		d := budget.dialer(nil)
		d.untilTaken = budget.Answer
		t.own = &http.Transport{
			Proxy:           routed(http.ProxyFromEnvironment),
			DialContext:     d.DialContext,
			IdleConnTimeout: defaultIdle,
		}
		speakHTTP1(t.own)
		tune(t.own, budget)
		// An idle connection keeps its http.Transport, and that keeps the connection.
		closeWithout(t, t.own)
	})
	return t.own
}

// Stats returns what the Transport's Meter has counted.
func (t *Transport) Stats() Stats { return t.meter().Stats() }

func (t *Transport) meter() *Meter {
	if t.Meter != nil {
		return t.Meter
	}
	if t.tally.Load() == nil {
		t.tally.CompareAndSwap(nil, new(Meter))
	}
	return t.tally.Load()
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
	// Each request tells that its connection is to be closed after it. What was opened
	// for one that was answered elsewhere is as good for the next, for a moment.
	if budget.Mode.kept() == NewConnections && (t.IdleConnTimeout <= 0 || t.IdleConnTimeout > budget.pace()) {
		t.IdleConnTimeout = budget.pace()
	}
}

// tuned reports whether what makes the connections was tuned, and is no round tripper
// of the user's.
func (t *Transport) tuned() bool { return t.Base == nil || t.sockets != nil }

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
