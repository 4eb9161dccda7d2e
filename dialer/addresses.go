package dialer

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// maxLookups is how many lookups one resolution makes: a query that is lost
	// is asked again beside the first, of the next name server, and once more.
	maxLookups = 3
	// maxAddresses bounds what is believed of one answer.
	maxAddresses = 32
)

// lookupFunc is net.Resolver.LookupNetIP.
type lookupFunc = func(ctx context.Context, network, host string) ([]netip.Addr, error)

// resolvable returns the parts of an address with a host name. It reports false
// for what net.Dialer is to have as it is: literal addresses, an address
// without a host, and what does not parse.
func resolvable(address string) (host, port string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return "", "", false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return "", "", false
	}
	return host, port, true
}

// resolve asks for the addresses of host, again beside itself whenever hedge
// has passed without an answer: a lost query must not cost the resolver's own
// timeout, which is seconds. The first answer wins; that there is no such name
// is an answer.
func resolve(ctx context.Context, lookup lookupFunc, hedge time.Duration, network, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		addresses []netip.Addr
		err       error
	}
	answers := make(chan answer, maxLookups)
	asked, failed := 0, 0
	ask := func() {
		asked++
		go func() {
			addresses, err := lookup(ctx, strings.Replace(network, "tcp", "ip", 1), host)
			if err == nil && len(addresses) == 0 {
				err = &net.DNSError{Err: "the name has no address", Name: host, IsNotFound: true}
			}
			answers <- answer{addresses, err}
		}()
	}
	pace := time.NewTicker(max(hedge, 1))
	defer pace.Stop()
	ask()
	var last error
	for {
		select {
		case a := <-answers:
			if a.err == nil || permanentDialError(a.err) {
				return a.addresses, a.err
			}
			last = a.err
			if failed++; failed == maxLookups {
				return nil, last
			}
		case <-pace.C:
			if asked < maxLookups {
				ask()
			}
		case <-ctx.Done():
			if last == nil {
				last = errors.New("no answer to the lookup of " + host)
			}
			return nil, last
		}
	}
}

// separate returns a resolver like the given one that shares no lookup with it
// and gives up when its context ends. A net.Resolver joins equal lookups, so
// that a second one would only wait for the answer that the first does not get;
// and Go's own resolver waits out its timeout, which is seconds, on the socket
// of a query that nobody needs any more. Its turn is how many lookups of the same
// resolution were made before it: it begins with as many name servers later in
// resolv.conf, since the others would all wait for one that is dead.
func separate(resolver *net.Resolver, turn int) *net.Resolver {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	dial := resolver.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	var servers []string
	if turn > 0 {
		servers = nameServers(resolvConf)
	}
	return &net.Resolver{
		PreferGo:     resolver.PreferGo,
		StrictErrors: resolver.StrictErrors,
		Dial: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			if n := slices.Index(servers, address); n >= 0 {
				address = servers[(n+turn)%len(servers)]
			}
			defer func() {
				if value := recover(); value != nil { // this is a goroutine of net's
					c := caught(value)
					c.log(ctx)
					conn, err = nil, c
				}
			}()
			conn, err = dial(ctx, network, address)
			if err == nil && conn != nil {
				context.AfterFunc(ctx, func() { quietly(ctx, func() { _ = conn.Close() }) })
			}
			return conn, err
		},
	}
}

// resolvConf names the name servers to Go's own resolver.
const resolvConf = "/etc/resolv.conf"

// nameServers returns the addresses of the name servers as Go's own resolver reads
// and dials them, the first three at most; none where there is no such file.
func nameServers(path string) (servers []string) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" || len(servers) == 3 {
			continue
		}
		if _, err := netip.ParseAddr(words[1]); err == nil {
			servers = append(servers, net.JoinHostPort(words[1], "53"))
		}
	}
	return servers
}

// interleave lets the address families alternate, beginning with that of the
// first address (RFC 8305, section 4), so that one that leads nowhere costs one
// hedge, not one for each of its addresses. Within a family the order stays.
func interleave(addresses []netip.Addr) []netip.Addr {
	var families [2][]netip.Addr
	for _, a := range addresses {
		a = a.Unmap()
		family := 0
		if a.Is4() != addresses[0].Unmap().Is4() {
			family = 1
		}
		if !slices.Contains(families[family], a) {
			families[family] = append(families[family], a)
		}
	}
	first, second := families[0], families[1]
	mixed := make([]netip.Addr, 0, len(first)+len(second))
	for n := range max(len(first), len(second)) {
		if n < len(first) {
			mixed = append(mixed, first[n])
		}
		if n < len(second) {
			mixed = append(mixed, second[n])
		}
	}
	return mixed[:min(len(mixed), maxAddresses)]
}

// targets returns what finds the addresses that a race for address is to try,
// in the order of its trying. Only a dial of our own over TCP with siblings
// resolves here: a user's own dial has the name as given, for it may be resolved
// at the far end of a tunnel (see ownLookup), and without siblings net.Dialer tries
// one address after the other.
func (d *Dialer) targets(network, address string, hedge time.Duration) func(context.Context) ([]string, error) {
	host, port, named := resolvable(address)
	if d.Dial != nil || !named || hedge < 0 {
		return func(context.Context) ([]string, error) { return []string{address}, nil }
	}
	return func(ctx context.Context) ([]string, error) {
		var turns atomic.Int32
		lookup := func(ctx context.Context, network, host string) ([]netip.Addr, error) {
			return separate(d.Resolver, int(turns.Add(1))-1).LookupNetIP(ctx, network, host)
		}
		found, err := resolve(ctx, lookup, hedge, network, host)
		if err != nil {
			return nil, err
		}
		var targets []string
		for _, a := range interleave(d.reachable(found)) {
			targets = append(targets, net.JoinHostPort(a.String(), port))
		}
		return d.history.order(targets, time.Now()), nil
	}
}

// reachable returns the addresses that LocalAddr can reach, by their family; all
// of them if it can reach none, so that the operating system says why.
func (d *Dialer) reachable(addresses []netip.Addr) []netip.Addr {
	local, ok := d.LocalAddr.(*net.TCPAddr)
	if !ok || local == nil || local.IP == nil {
		return addresses
	}
	four := local.IP.To4() != nil
	same := slices.DeleteFunc(slices.Clone(addresses), func(a netip.Addr) bool { return a.Unmap().Is4() != four })
	if len(same) == 0 {
		return addresses
	}
	return same
}

// target returns what the n-th dial of a race, from 0, is made to.
func (r *race) target(n int) string { return r.targets[n%len(r.targets)] }

// remains reports whether an address has not been tried yet.
func (r *race) remains() bool { return r.tries < len(r.targets) }

// enough is how many failed dials it takes to believe that nobody answers: each
// address had its try.
func (r *race) enough() int { return max(maxRefused, len(r.targets)) }

// settle notes for the next race that the n-th dial has won, and who failed or
// was started before it in vain. A sibling that wins has shown that it was worth
// what the race has spent.
func (r *race) settle(n int) {
	r.winner = n
	if n > 0 {
		r.tokens.refund(r.spent)
	}
	losers := r.losers(func(number int, dial begun) bool { return number < n || dial.failed })
	losers = slices.DeleteFunc(losers, func(target string) bool { return target == r.target(n) })
	if len(r.targets) < 2 || r.target(n) == r.address {
		return
	}
	r.history.won(r.target(n), losers, time.Now())
}

// forsake notes for the next race who was in this one, which nobody has won: who
// failed, and who went unanswered for as long as it takes for another to be tried, or
// was the first and had all the time that there was.
func (r *race) forsake(now time.Time, timeout bool) {
	r.history.lost(now, r.losers(func(number int, dial begun) bool {
		return dial.failed || now.Sub(dial.at) >= r.hedge || number == 0 && timeout
	})...)
}

// late notes how a dial has ended after its race. Who connects after a dial that began
// before it is none the worse for it; who began before the winner has lost, whatever
// becomes of it; and one that was only told to end has shown nothing.
func (r *race) late(number int, target string, err error) {
	switch {
	case len(r.targets) < 2 || target == r.address:
	case err == nil && number > r.winner && r.winner >= 0 && target != r.target(r.winner):
		r.history.connected(target)
	case err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		r.history.lost(time.Now(), target)
	}
}

// losers returns the addresses of the dials that are what is asked for, each once. There
// are none where there is no choice of addresses. What a user's own dial of the name has
// tried is not known.
func (r *race) losers(are func(number int, dial begun) bool) (losers []string) {
	if len(r.targets) < 2 {
		return nil
	}
	for number, dial := range r.dials {
		if target := r.target(number); target != r.address && are(number, dial) && !slices.Contains(losers, target) {
			losers = append(losers, target)
		}
	}
	return losers
}

// op says what was dialled, for the error: the name and its addresses.
func (r *race) op() string {
	op := "dial " + r.network + " " + r.address
	tried := r.targets[:min(len(r.targets), max(r.tries, 1))]
	tried = slices.DeleteFunc(slices.Clone(tried), func(target string) bool { return target == r.address })
	if len(tried) == 0 {
		return op
	}
	return op + " (" + strings.Join(tried, ", ") + ")"
}
