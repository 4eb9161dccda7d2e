package dialer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// attempt is one of the requests that a round trip sends.
type attempt struct {
	number int // 0 is the first
	hedge  bool
	paid   bool // a token was taken for it
	cancel context.CancelCauseFunc
	trace  *requestTrace
	start  time.Time

	request *http.Request // the caller's, copied

	moved  atomic.Int64          // the bytes of its bodies that have passed, except for those of a small request
	status atomic.Int32          // of the answer that has begun, 0 before that
	upload atomic.Pointer[error] // what the request's own body failed with
	state  atomic.Int32          // see leave

	place   inOrder
	arrived int64 // see progress; of the goroutine that runs the call
}

// The states of an attempt's goroutine.
const (
	isLaunched int32 = iota // it has not been started yet
	isRunning
	isBack
	isDeaf // it has not come back although its call is long over
)

const (
	// mostDeaf is how many attempts of one Transport may go on after their calls were
	// over. While there are so many, further calls fail at once: what a round tripper
	// that heeds no context keeps does not grow with the number of calls.
	mostDeaf = 256
	// lastWord is how long an attempt may take to come back after its call is over.
	lastWord = time.Second
)

// errDeaf is what a call fails with that is not made.
var errDeaf = fmt.Errorf("the round trippers below do not heed the end of their context: %d earlier attempts have not returned", mostDeaf)

// back notes that the attempt's goroutine has come back.
func (a *attempt) back(deaf *atomic.Int64) {
	if !a.state.CompareAndSwap(isRunning, isBack) {
		deaf.Add(-1)
	}
}

// leave notes that the attempt's call is over.
func (a *attempt) leave(deaf *atomic.Int64) {
	if a.state.Load() == isRunning {
		time.AfterFunc(lastWord, func() {
			deaf.Add(1)
			if !a.state.CompareAndSwap(isRunning, isDeaf) {
				deaf.Add(-1)
			}
		})
	}
}

// outcome is how an attempt ended: an answer, an error or a panic.
type outcome struct {
	attempt  *attempt
	response *http.Response
	stream   bool // the response's body is not part of the answer
	err      error
	crash    *crash
}

// discard frees what an attempt that has lost still holds.
func (o outcome) discard() {
	if o.response != nil {
		quietly(o.attempt.trace, func() { _ = o.response.Body.Close() })
	}
	if o.crash != nil {
		o.crash.log(o.attempt.trace) // nobody is left to raise it to
	}
	o.attempt.cancel(endedOutrun)
}

// begin returns the context of an attempt, derived from the caller's.
//
// net/http detaches its dials from the request's context, so that a dial may
// outlive the request that asked for it. The context therefore also carries
// itself as a value (useOf), which survives the detaching: our Dialer gives up
// with the attempt, and no dial to a dead backend is left behind.
func (a *attempt) begin(caller context.Context, c *call) context.Context {
	ctx, cancel := context.WithCancelCause(caller)
	a.cancel = cancel
	a.start = time.Now()
	of := c.transport
	a.trace = of.meter().follow(ctx)
	a.trace.alone, a.trace.making, a.trace.traces = true, &of.making, &of.traces
	a.trace.repeats, a.trace.company, a.trace.base = &c.repeats, &c.company, c.base
	return a.trace
}

// reachedServer reports whether the attempt may have been work for a server. A base
// that does not trace its connections is assumed to have reached one.
func (a *attempt) reachedServer() bool {
	_, reached := a.trace.reused()
	return reached || !a.trace.waits.Load()
}

// progress returns how many bytes of the attempt's bodies have arrived, here or at the
// peer. What the kernel has only taken has not: its buffer takes megabytes for a peer that
// is dead. Headers and what TLS adds are taken for bytes of the body, which is close enough.
func (a *attempt) progress() int64 {
	if moved := a.moved.Load(); moved > a.arrived {
		if waiting, ok := a.trace.unacknowledged(); ok {
			a.arrived = max(a.arrived, moved-waiting)
		}
	}
	return a.arrived
}

// inHandshake reports whether the attempt has no connection yet but has made a
// server begin a TLS handshake, or at least has asked one to.
func (a *attempt) inHandshake() bool { return !a.reachedServer() && a.trace.shook.Load() }

// loadedServer reports whether the attempt was work for a server.
func (a *attempt) loadedServer() bool { return a.reachedServer() || a.trace.shook.Load() }

// failure says what is known of the attempt now that it has failed with err.
func (a *attempt) failure(err error) failure {
	return failure{err: err, upload: a.upload.Load() != nil, asked: a.trace.waits.Load(), begun: a.trace.begun.Load(), body: a.status.Load() != 0}
}

// unsent reports whether the attempt is known to have had no connection, so that
// no server can have seen the request.
func (a *attempt) unsent() bool { return !a.reachedServer() }

// cancelWithAttempt calls cancel when the attempt that ctx belongs to, if any,
// is over. The returned function ends the watch.
func cancelWithAttempt(ctx context.Context, cancel context.CancelFunc) (stop func()) {
	u := requestTraceOf(ctx)
	if u == nil || !u.alone {
		return func() {}
	}
	unhook := context.AfterFunc(u, cancel)
	return func() { unhook() }
}

// run sends the attempt's request and waits for its answer.
func (a *attempt) run(base http.RoundTripper, stream bool, most int64) outcome {
	request := a.request
	response, err := base.RoundTrip(request)
	switch {
	case err != nil:
		return outcome{attempt: a, err: err, crash: crashOf(err)} // in a dial, maybe
	case response == nil:
		return outcome{attempt: a, err: fmt.Errorf("%T returned neither an answer nor an error", base)}
	}
	a.status.Store(int32(response.StatusCode))
	if response.Body == nil {
		response.Body = http.NoBody
	}
	if response.StatusCode == http.StatusSwitchingProtocols && !maySwitch(stream, request) {
		_ = response.Body.Close() // it is the connection itself
		return outcome{attempt: a, err: errSwitched}
	}
	if streams(stream, request, response) {
		return outcome{attempt: a, response: response, stream: true}
	}
	if err := absorb(a.trace, request.Method, response, most, &a.moved); err != nil {
		return outcome{attempt: a, err: err}
	}
	return outcome{attempt: a, response: response}
}

type freshKey struct{}

// FreshConnection returns a context whose requests start on a new connection: a
// Transport closes its idle connections before it sends them. Other round trippers
// ignore it.
//
// Such a request may still take a kept connection that has just carried an answer: one
// that became idle at that very moment, or since the idle ones were closed for another
// request less than half of Hedge ago. While half as many connections are
// being made as may be at once, or more, or the process is short of CPU, or answers take longer than Hedge, the idle
// connections are closed only once in Budget.Answer; in the last two cases not at all
// while another request was answered less than Connect ago.
func FreshConnection(ctx context.Context) context.Context {
	return context.WithValue(ctx, freshKey{}, true)
}

func wantsFresh(ctx context.Context) bool {
	fresh, _ := ctx.Value(freshKey{}).(bool)
	return fresh
}

// copy makes the attempt's request. The call's goroutine does it: when the call is over,
// the request is its caller's again, who may change it.
func (a *attempt) copy(ctx context.Context, request *http.Request) {
	// A deep copy: attempts run at the same time, and not every round tripper
	// below leaves the headers it is given alone (that of exec plugins sets one).
	a.request = request.Clone(ctx)
	if hasBody(request) {
		a.request.Trailer = request.Trailer // which the caller may fill in while the body is read
	}
}

// fill gives the attempt's request its body. The first attempt takes the body itself,
// the others a copy of it.
func (a *attempt) fill() error {
	request := a.request
	if !hasBody(request) {
		return nil
	}
	if a.number > 0 {
		body, err := request.GetBody()
		if err == nil && body == nil {
			err = errors.New("GetBody returned neither a body nor an error")
		}
		if err != nil {
			a.failUpload(err)
			return fmt.Errorf("copy the request's body for attempt %d: %w", a.number+1, err)
		}
		request.Body = body
	}
	if request.ContentLength <= 0 || request.ContentLength > noticed {
		request.Body = &upload{ReadCloser: request.Body, attempt: a}
	}
	return nil
}

// noticed is how many bytes of a body must arrive between two looks at an attempt
// for it to count as being on its way, and how long a request's body must be for
// that to be looked at.
const noticed = 64 << 10

// upload is the body of a request whose sending is followed.
type upload struct {
	io.ReadCloser
	attempt *attempt
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.attempt.moved.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		u.attempt.failUpload(err)
	}
	return n, err
}

func (a *attempt) failUpload(err error) { a.upload.CompareAndSwap(nil, &err) }

func hasBody(request *http.Request) bool {
	return request.Body != nil && request.Body != http.NoBody
}

// replayable reports whether the request's body, if any, can be sent again. One with a
// trailer cannot: its caller fills that in while the body is read, and two attempts read
// at once.
func replayable(request *http.Request) bool {
	return !hasBody(request) || request.GetBody != nil && len(request.Trailer) == 0
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}
