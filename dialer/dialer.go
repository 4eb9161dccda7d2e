package dialer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"
)

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

const (
	defaultConnect   = 10 * time.Second
	defaultDialHedge = 250 * time.Millisecond
	defaultSilence   = 15 * time.Second

	// seldom is how many times Hedge a dial goes unanswered before it gets a sibling
	// that the budget has nothing left for.
	seldom = 2
	// maxRefused is how many failed dials it takes to believe a refusal. Behind
	// a virtual IP the next source port may lead to a backend that is alive.
	maxRefused = 4
)

// Dialer dials TCP connections that die in time. Its zero value is useful: it
// dials within 10s, with siblings every 250ms, connections that may be silent
// for 15s. A Dialer is safe for concurrent use while its fields are not changed.
// It must not be copied after first use.
//
// Its load does not grow when nobody answers. Siblings, and tries after a failure, are
// paid for from a budget of the Dialer's: ten at first, and one more for every ten
// dials (for forty where this process is short of CPU; siblings wait longer then, for half of
// Connect at most). A dial gets back what it has spent when one of its siblings connects. When the
// budget is used up, siblings come at half the pace. The first try at each address of a
// name is free. At most eight dials of a Dialer are under way at once, unless more than
// eight callers wait for one. A Dial of the user's own that takes longer than twice
// Connect does not count where other calls wait.
type Dialer struct {
	// Connect bounds one DialContext, siblings and the lookup of the name
	// included. Zero is 10s. Negative is an error. For a Dial of the user's own
	// Harden and HardenTraffic raise it to Budget.Answer, or to their bound: it may
	// have a tunnel to open.
	Connect time.Duration

	// Hedge is how long a dial may go unanswered before a sibling is started
	// beside it. The sibling's source port differs, so a virtual IP may choose
	// another backend for it. Zero is 250ms; negative: no siblings, one dial.
	Hedge time.Duration

	// Silence is how long a peer may leave sent data, a SYN or a keepalive probe
	// unacknowledged before the kernel drops the connection; roughly, and with
	// differences between operating systems that the package comment lists.
	// What a socket has that is tighter, by Control or by Dial, stays. Zero is
	// 15s; negative leaves sockets as the operating system has them.
	Silence time.Duration

	// LocalAddr is the address to dial from, a *net.TCPAddr for TCP, as in
	// net.Dialer. Of a host name only the addresses of its family are dialled. A
	// port in it leaves room for one connection at a time. Nil: the operating
	// system chooses. It is an error together with Dial.
	LocalAddr net.Addr

	// Control is called with each socket before it is connected, after the
	// address of a name was found and before the socket options are set, as
	// net.Dialer.ControlContext is. An error of it fails that try. It must be safe
	// for concurrent use. Nil: nothing is called. It is an error together with Dial.
	Control func(ctx context.Context, network, address string, c syscall.RawConn) error

	// Dial is the dial underneath, for example through a tunnel or a proxy. It
	// gets the name as given (see below), must be safe for concurrent use and should
	// return when its context ends: while 16 have not, only one at a time is dialled.
	// The socket options are set on what it returns if that is a *net.TCPConn, or gives
	// way to one through NetConn. Nil is net.Dialer, which also sets them before connect;
	// LocalAddr and Control are its fields, so that they need no Dial.
	//
	// A net.Dialer behind a Dial tries the addresses of a name one after the other and
	// gives each at least two seconds. If net/http/httptrace shows that the Dial does so
	// (it looks up this name and no other, finds several addresses and connects to one of
	// them), each sibling gets one of these addresses in place of the name, so that a dead
	// one costs one Hedge. The first dial of each DialContext always gets the name, and
	// so does every dial of a Dial that is not seen to look it up.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Resolver finds the addresses of a host name, anew for each DialContext.
	// Where a name has several, siblings go to different ones. It is not asked
	// where Dial is set: that dial gets the name as given. Nil is
	// net.DefaultResolver. It must not be copied or changed meanwhile.
	Resolver *net.Resolver

	// Meter counts dials and connections. Nil is the Meter of the Transport, or
	// of HardenTraffic's client, whose request asks for the dial; without one,
	// nothing is counted. A counted connection gives way to its socket through
	// NetConn.
	Meter *Meter

	history  addressHistory // which addresses to begin with
	lost     *atomic.Int64  // see closing.lost
	crowd    crowd          // the dials under way
	refusers refusers       // the addresses that refuse
	tokens   bucket         // what siblings are paid for from

	// untilTaken bounds the time from the dial until a request has the connection, which
	// is closed if none has it by then. Zero: whoever dials takes what he gets.
	untilTaken time.Duration
	tally      Meter // counts where nobody else does and untilTaken bounds a dial
}

// DialContext connects to address, for example "192.0.2.1:443". The first dial
// or sibling to connect wins; the others are closed, whenever they connect. The error is
// an *Error that wraps each distinct cause. Networks that are not TCP are dialled once,
// within Connect, without socket options.
//
// A dial that nobody answers gets a sibling after Hedge. When a dial fails the next
// one starts at once, the ones after that at the pace of Hedge; four failures with
// nothing left under way end it. An error of Dial or Control that does not come from
// the network (no net.Error, no syscall.Errno, no end of a connection) is a refusal,
// after which no other dial is started. So is a panic of Dial, Control or Trace.Opened,
// since net/http dials in goroutines in which nobody could recover it: a Transport, and
// a client of HardenTraffic's, raise it again in the goroutine that made the call.
//
// A host name is looked up within Connect, at most three times at the pace of Hedge.
// Siblings go to its addresses in turn, IPv4 and IPv6 alternating, and each address is
// tried before failures end the dial. Dials begin with different addresses in turn, so
// that one which connects and then says nothing is not chosen again. For a minute an
// address comes last that failed, was overtaken or went unanswered, even if its dial
// ended without a connection. With a negative Hedge net.Dialer tries one address after
// the other.
//
// Dials for one and the same request are paced where a server closes its connections or
// sends it away from them (GOAWAY) before it answers: the third begins after 100ms, each
// later one after twice as long, at most 2s.
//
// An address that has refused three dials in a row (ECONNREFUSED) is dialled by one
// caller at a time, at the pace of Hedge (of half of Connect, where that is less), once for
// each of its targets. Callers that come meanwhile share the error of that dial if it is
// refused as well.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := again(ctx); err != nil {
		return nil, &Error{Op: "dial " + network + " " + address, Elapsed: time.Since(start), Bound: d.connect(), Err: err}
	}
	asks, err := false, error(nil)
	if isTCP(network) {
		pace := min(orDefault(max(d.Hedge, 0), defaultDialHedge), d.connect()/2)
		if asks, err = d.refusers.enter(ctx, network+" "+address, pace); err != nil {
			return nil, &Error{Op: "dial " + network + " " + address, Elapsed: time.Since(start), Bound: d.connect(), Err: err}
		}
	}
	conn, err := d.begin(ctx, network, address, start, asks)
	if isTCP(network) {
		d.refusers.leave(network+" "+address, asks, err)
	}
	return conn, err
}

// begin is DialContext for a dial that may begin. One that asks for others tries each
// target once.
func (d *Dialer) begin(ctx context.Context, network, address string, start time.Time, asks bool) (net.Conn, error) {
	made := func(bool) {}
	if u := requestTraceOf(ctx); u != nil && u.making != nil && !u.straight() && d.untilTaken > 0 {
		var err error
		if made, err = u.making.begin(ctx, u, address, d.long()); err != nil {
			return nil, &Error{Op: "dial " + network + " " + address, Elapsed: time.Since(start), Bound: d.connect(), Err: err}
		}
	}
	r := &race{
		asks:    asks,
		network: network,
		address: address,
		bound:   d.connect(),
		long:    d.long(),
		hedge:   orDefault(d.Hedge, defaultDialHedge),
		winner:  -1,
		crowd:   &d.crowd,
		tokens:  &d.tokens,
		results: make(chan dialled),
		over:    make(chan struct{}),
	}
	r.dial = d.hardened(orDefault(d.Silence, defaultSilence))
	if !isTCP(network) {
		r.hedge = -1
	}
	r.resolve = d.targets(network, address, r.hedge)
	r.history = &d.history
	r.own = d.ownLookup(network, address, r.hedge)
	return d.count(ctx, r, made)
}

// hardened returns the dial whose connections carry the options of silence.
func (d *Dialer) hardened(silence time.Duration) dialFunc {
	if d.Dial == nil {
		return d.system(silence)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.Dial(ctx, network, address)
		switch {
		case err != nil && !missing(conn):
			_ = conn.Close() // nobody else would
			return nil, decline(err)
		case err != nil:
			return nil, decline(err)
		case missing(conn):
			return nil, decline(errors.New("the user's own dial returned neither a connection nor an error"))
		}
		if isTCP(network) {
			harden(ctx, conn, silence)
		}
		return conn, nil
	}
}

// missing reports whether there is no connection: none, or a nil pointer in the
// guise of one.
func missing(conn net.Conn) bool {
	if conn == nil {
		return true
	}
	switch value := reflect.ValueOf(conn); value.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return value.IsNil()
	default:
		return false
	}
}

func (d *Dialer) validate() error {
	switch {
	case d.Connect < 0:
		return fmt.Errorf("dialer: Dialer.Connect is %v, it must not be negative", d.Connect)
	case d.Dial != nil && d.LocalAddr != nil:
		return fmt.Errorf("dialer: Dialer.LocalAddr is %v and Dial is set, which dials from where it likes; one of them must be nil", d.LocalAddr)
	case d.Dial != nil && d.Control != nil:
		return errors.New("dialer: Dialer.Control and Dial are both set, and Dial makes its sockets itself; one of them must be nil")
	}
	return nil
}

// connect returns the bound of a dial. A dial of the user's own may have more to
// do than to connect, such as to try one address of a name after the other or to
// open a tunnel: it has all the time that there is for the connection.
func (d *Dialer) connect() time.Duration {
	bound := orDefault(d.Connect, defaultConnect)
	if d.Dial != nil {
		return max(bound, d.untilTaken)
	}
	return bound
}

// long is how long a connection may take before it is taken for dead, so that it
// keeps no other from being made. It goes on all the same.
func (d *Dialer) long() time.Duration { return 2 * orDefault(d.Connect, defaultConnect) }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// race is one DialContext: a dial and its siblings.
type race struct {
	network, address string
	bound, hedge     time.Duration
	long             time.Duration // see Dialer.long
	asks             bool          // see refusers
	dial             dialFunc
	resolve          func(context.Context) ([]string, error)
	history          *addressHistory
	crowd            *crowd
	tokens           *bucket
	results          chan dialled
	over             chan struct{} // closed when the race has ended: who comes now is late

	targets                        []string // addresses in the order of their trying, never empty once resolved
	tries, underway, failed, spent int
	dials                          []begun // by their number
	winner                         int     // the number of the dial that has won, -1 if none has
	causes                         []error

	own     *ownLookup // of a user's own dial; nil where it is not watched
	learned bool       // targets are what own has seen
}

// begun is a dial of a race.
type begun struct {
	at     time.Time
	failed bool
}

type dialled struct {
	number  int // of the dial, from 0
	conn    net.Conn
	err     error
	retired bool // it had to make room for another
}

func (r *race) run(caller context.Context) (net.Conn, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(caller, r.bound)
	defer cancel()
	defer func() { r.crowd.over(r) }()
	defer close(r.over)
	defer cancelWithAttempt(ctx, cancel)()

	fail := func(err error) (net.Conn, error) {
		r.forsake(time.Now(), errors.Is(ctx.Err(), context.DeadlineExceeded))
		if u := requestTraceOf(caller); u != nil && u.alone && errors.Is(context.Cause(u), error(endedOutrun)) {
			r.tokens.refund(r.spent) // another attempt was answered: the server is well
		}
		if err == nil {
			err = errors.New("it made room for other dials") // each of its own did
		}
		return nil, &Error{Op: r.op(), Tries: r.tries, Elapsed: time.Since(start), Bound: r.bound, Err: err}
	}
	var err error
	if r.targets, err = r.resolve(ctx); err != nil && ctx.Err() != nil {
		return fail(ended(caller, err))
	} else if err != nil {
		return fail(err)
	}
	pace := time.NewTimer(max(r.hedge, 0))
	defer pace.Stop()
	if r.hedge < 0 {
		pace.Stop()
	}
	r.tokens.earn(process.short(r.hedge))
	u := requestTraceOf(ctx)
	if err := r.launch(ctx, u != nil && u.alone); err != nil {
		return fail(ended(caller, nil))
	}
	due := time.Now().Add(r.hedge)
	next := func(after time.Duration) {
		due = time.Now().Add(after)
		pace.Reset(after)
	}
	for {
		select {
		case result := <-r.results:
			r.underway--
			if result.err == nil {
				r.settle(result.number)
				return result.conn, nil
			}
			if ctx.Err() != nil {
				return fail(ended(caller, errors.Join(r.causes...)))
			}
			if result.retired {
				continue // another has taken its place
			}
			r.failed++
			r.dials[result.number].failed = true
			r.remember(result.err)
			again := r.hedge >= 0 && !permanentDialError(result.err)
			switch {
			case again && (r.failed == 1 && !r.asks || r.remains()) && r.another(ctx):
				next(r.hedge)
			case r.underway == 0 && (!again || r.asks || r.failed >= r.enough()):
				return fail(errors.Join(r.causes...))
			}
		case <-pace.C:
			if ctx.Err() != nil {
				return fail(ended(caller, errors.Join(r.causes...)))
			}
			now := time.Now()
			process.fired(due, now)
			if left := r.standsBack(now); left > 0 {
				next(left)
				continue
			}
			if r.failed < r.enough() && !r.another(ctx) && r.underway == 0 {
				return fail(errors.Join(r.causes...))
			}
			next(r.hedge)
		case <-ctx.Done():
			return fail(ended(caller, errors.Join(r.causes...)))
		}
	}
}

// standsBack returns how much longer than Hedge a sibling waits, where this process is
// short of CPU: the dial that is under way may have connected, and nobody has come to
// see it.
func (r *race) standsBack(now time.Time) time.Duration {
	if r.underway == 0 || !process.short(r.hedge) {
		return 0
	}
	return new(patience).delay(r.hedge, r.bound/2, process.now(now)) - now.Sub(r.dials[r.tries-1].at)
}

// another launches a dial beside those that are unanswered, or after one that
// failed, unless there are enough of them or the budget is used up.
func (r *race) another(ctx context.Context) bool {
	r.learn()
	switch {
	case r.remains(): // each address has its try
	case r.underway > 0 && !r.crowd.room():
		return false
	case r.tokens.spend():
		r.spent++
	case r.underway > 0 && time.Since(r.dials[r.tries-1].at) >= seldom*r.hedge:
		// The budget is used up, and the host may be as dead as before.
	default:
		return false
	}
	return r.launch(ctx, false) == nil
}

// launch starts a dial. The error of one that is patient is that its context has
// ended before there was room.
func (r *race) launch(ctx context.Context, patient bool) error {
	ctx, cancel := context.WithCancel(ctx)
	place, err := r.crowd.enter(ctx, r, cancel, patient)
	if err != nil {
		cancel()
		return err
	}
	number, target := r.tries, r.target(r.tries)
	r.tries++
	r.underway++
	r.dials = append(r.dials, begun{at: time.Now()})
	dialling := ctx
	if r.own != nil && target == r.address {
		dialling = r.own.watch(ctx)
	}
	go func() {
		defer cancel()
		result, done := dialled{number: number}, false
		defer func() {
			if !done {
				c := caught(recover())
				c.log(ctx)
				result.err = decline(c)
			}
			result.retired = r.crowd.leave(place)
			select {
			case r.results <- result:
			case <-r.over:
				r.late(number, target, result.err)
				if result.err == nil {
					quietly(ctx, func() { _ = result.conn.Close() })
				}
			}
		}()
		result.conn, result.err = r.dial(dialling, r.network, target)
		done = true
	}()
	return nil
}

// remember keeps the causes that differ in words, so that a dozen refusals read as one.
func (r *race) remember(err error) {
	for _, known := range r.causes {
		if known.Error() == err.Error() {
			return
		}
	}
	r.causes = append(r.causes, err)
}

// permanentDialError reports whether a dial failed for a reason that a sibling would
// meet as well: an address that does not parse or that the system takes for none (EINVAL),
// a name that does not exist, or code of the user's that refuses.
func permanentDialError(err error) bool {
	var (
		address *net.AddrError
		parse   *net.ParseError
		network net.UnknownNetworkError
		name    *net.DNSError
	)
	if errors.As(err, &name) {
		return name.IsNotFound
	}
	var call *os.SyscallError
	if errors.As(err, &call) && call.Syscall == "connect" && errors.Is(call, syscall.EINVAL) {
		return true
	}
	return declines(err) || errors.As(err, &address) || errors.As(err, &parse) || errors.As(err, &network)
}
