package dialer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

const (
	defaultConnect   = 10 * time.Second
	defaultDialHedge = 250 * time.Millisecond
	defaultSilence   = 15 * time.Second

	// maxSiblings bounds the dials of one DialContext that are under way at once.
	maxSiblings = 8
	// maxRefused is how many failed dials it takes to believe a refusal. Behind
	// a virtual IP the next source port may lead to a backend that is alive.
	maxRefused = 4
)

// Dialer dials TCP connections that die in time. Its zero value is useful: it
// dials within 10s, with siblings every 250ms, connections that may be silent
// for 15s. A Dialer is safe for concurrent use while its fields are not changed.
// It must not be copied after first use.
type Dialer struct {
	// Connect bounds one DialContext, siblings included. Zero is 10s. Negative
	// is an error.
	Connect time.Duration

	// Hedge is how long a dial may go unanswered before a sibling is started
	// beside it. The sibling's source port differs, so a virtual IP may choose
	// another backend for it. Zero is 250ms; negative: no siblings, one dial.
	Hedge time.Duration

	// Silence is how long a peer may leave sent data, a SYN or a keepalive probe
	// unacknowledged before the kernel drops the connection; roughly, and with
	// differences between operating systems that the package comment lists.
	// Zero is 15s; negative leaves sockets as the operating system has them.
	Silence time.Duration

	// Dial is the dial underneath, for example through a tunnel or a proxy. It
	// must be safe for concurrent use. The socket options are set on what it
	// returns if that is a *net.TCPConn, or gives way to one through NetConn.
	// Nil is net.Dialer, which also sets them before connect.
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

	fortunes fortunes      // which addresses to begin with
	lost     *atomic.Int64 // see closing.lost
}

// DialContext connects to address, for example "192.0.2.1:443". The first dial
// or sibling to connect wins and the rest are closed, also those that connect
// later. When a dial fails the next one starts at once, the ones after that
// keep the pace of Hedge; four failures with nothing left under way end it. The
// error is an *Error that wraps each distinct cause. Networks that are not TCP
// are dialled once, within Connect, without socket options.
//
// The addresses of a host name are looked up within Connect, at most three times
// at the pace of Hedge, and IPv4 and IPv6 alternate. A dial that nobody answers
// gets a sibling to the next address after Hedge, one that is refused at once;
// each address is tried before failures end it. Dials begin with different
// addresses in turn, so that one which connects and then says nothing is not
// chosen again, and addresses that lately failed come last. With a negative
// Hedge net.Dialer tries one address after the other.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Connect < 0 {
		return nil, fmt.Errorf("dialer: Dialer.Connect is %v, it must not be negative", d.Connect)
	}
	r := &race{
		network: network,
		address: address,
		bound:   orDefault(d.Connect, defaultConnect),
		hedge:   orDefault(d.Hedge, defaultDialHedge),
		results: make(chan dialled),
		over:    make(chan struct{}),
	}
	r.dial = d.hardened(orDefault(d.Silence, defaultSilence))
	if !isTCP(network) {
		r.hedge = -1
	}
	r.resolve = d.targets(network, address, r.hedge)
	r.fortunes = &d.fortunes
	return d.count(ctx, r)
}

// hardened returns the dial whose connections carry the options of silence.
func (d *Dialer) hardened(silence time.Duration) dialFunc {
	if d.Dial == nil {
		return system(silence, d.Resolver)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.Dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if conn == nil {
			return nil, errors.New("the user's own dial returned neither a connection nor an error")
		}
		if isTCP(network) {
			harden(ctx, conn, silence)
		}
		return conn, nil
	}
}

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
	dial             dialFunc
	resolve          func(context.Context) ([]string, error)
	fortunes         *fortunes
	results          chan dialled
	over             chan struct{} // closed when the race has ended: who comes now is late

	targets                 []string // addresses in the order of their trying, never empty once resolved
	tries, underway, failed int
	lost                    []int // the dials that failed
	causes                  []error
}

type dialled struct {
	number int // of the dial, from 0
	conn   net.Conn
	err    error
}

func (r *race) run(caller context.Context) (net.Conn, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(caller, r.bound)
	defer cancel()
	defer close(r.over)
	defer cancelWithAttempt(ctx, cancel)()

	fail := func(err error) (net.Conn, error) {
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
	r.launch(ctx)
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
			r.failed++
			r.lost = append(r.lost, result.number)
			r.remember(result.err)
			switch {
			case (r.failed == 1 || r.remains()) && r.hedge >= 0 && !pointless(result.err):
				r.launch(ctx)
				pace.Reset(r.hedge)
			case r.underway == 0 && (r.failed >= r.enough() || r.hedge < 0 || pointless(result.err)):
				return fail(errors.Join(r.causes...))
			}
		case <-pace.C:
			if r.underway < r.abreast() && r.failed < r.enough() {
				r.launch(ctx)
			}
			pace.Reset(r.hedge)
		case <-ctx.Done():
			return fail(ended(caller, errors.Join(r.causes...)))
		}
	}
}

func (r *race) launch(ctx context.Context) {
	number, target := r.tries, r.target(r.tries)
	r.tries++
	r.underway++
	go func() {
		conn, err := r.dial(ctx, r.network, target)
		select {
		case r.results <- dialled{number, conn, err}:
		case <-r.over:
			if err == nil {
				_ = conn.Close()
			}
		}
	}()
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

// pointless reports whether a dial failed for a reason that a sibling would
// meet as well: an address that does not parse or a name that does not exist.
func pointless(err error) bool {
	var (
		address *net.AddrError
		parse   *net.ParseError
		network net.UnknownNetworkError
		name    *net.DNSError
	)
	if errors.As(err, &name) {
		return name.IsNotFound
	}
	return errors.As(err, &address) || errors.As(err, &parse) || errors.As(err, &network)
}
