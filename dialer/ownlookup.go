package dialer

import (
	"cmp"
	"context"
	"net"
	"net/http/httptrace"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// ownLookup is what a dial of the user's own is seen to do with a host name. A
// net.Dialer below it tells so, as it tells every net/http/httptrace.
//
// net.Dialer tries the addresses of one family one after the other and gives each
// at least two seconds. Siblings that got the name would all begin with the same
// address, and wait for it if it is dead. So once the dial is seen to have found
// several addresses and to connect to one of them, siblings get one address each. A
// dial that leaves the name to others, such as the far end of a tunnel or a proxy
// with a name of its own, is not seen to do so and always gets the name.
type ownLookup struct {
	network, host, port string

	mu      sync.Mutex
	other   bool // another name was looked up: what was found may be of that
	found   []netip.Addr
	begun   []netip.Addr // it has begun to connect to these
	connect bool         // one of them was found
}

// ownLookup returns what is to watch a user's dial, nil where there is nothing to
// see or nobody to be told.
func (d *Dialer) ownLookup(network, address string, hedge time.Duration) *ownLookup {
	host, port, named := resolvable(address)
	if d.Dial == nil || !named || hedge < 0 {
		return nil
	}
	return &ownLookup{network: network, host: host, port: port}
}

// watch returns the context for a dial of the name.
func (o *ownLookup) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(info httptrace.DNSStartInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.other = o.other || !strings.EqualFold(strings.TrimSuffix(info.Host, "."), strings.TrimSuffix(o.host, "."))
		},
		DNSDone:      func(info httptrace.DNSDoneInfo) { o.learn(info.Addrs) },
		ConnectStart: o.connects,
	})
}

func (o *ownLookup) learn(addresses []net.IPAddr) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range addresses {
		ip, ok := netip.AddrFromSlice(a.IP)
		ip = ip.Unmap().WithZone(a.Zone)
		if !ok || slices.Contains(o.found, ip) || strings.HasSuffix(o.network, "4") && !ip.Is4() || strings.HasSuffix(o.network, "6") && ip.Is4() {
			continue
		}
		o.found = append(o.found, ip)
	}
}

// connects notes that the dial begins to connect to an address. A lookup that was
// asked for by hand tells of its name server in the same way.
func (o *ownLookup) connects(network, address string) {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !isTCP(network) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	ip := to.Addr().Unmap()
	o.begun = append(o.begun, ip)
	o.connect = o.connect || slices.Contains(o.found, ip)
}

// targets returns the addresses that siblings are to be made to, none as long as it
// is not known that there are several. Those which the dial of the name has begun
// with come last.
func (o *ownLookup) targets(order func([]string, time.Time) []string) []string {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.other || !o.connect || len(o.found) < 2 {
		return nil
	}
	join := func(a netip.Addr) string { return net.JoinHostPort(a.String(), o.port) }
	var targets []string
	for _, a := range interleave(o.found) {
		targets = append(targets, join(a))
	}
	targets = slices.Clone(order(targets, time.Now()))
	rank := map[string]int{}
	for _, a := range o.begun {
		rank[join(a)] = 1
	}
	slices.SortStableFunc(targets, func(a, b string) int { return cmp.Compare(rank[a], rank[b]) })
	return targets
}

// learn adds the addresses that siblings of a user's own dial are to be made to,
// as soon as they are known.
func (r *race) learn() {
	if r.learned {
		return
	}
	if more := r.own.targets(r.history.order); len(more) > 0 {
		r.learned = true
		r.targets = slices.Concat(slices.Repeat(r.targets[:1], r.tries), more)
	}
}
