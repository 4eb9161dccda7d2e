package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The laboratory's addresses come from 198.18.0.0/15, which RFC 2544 sets
// aside for benchmarks: nothing a machine talks to in earnest lives there.
// Host i has the /30 that begins at 198.18.0.0 + 4i, the router its first
// address and the host its second.
var firstLink = netip.AddrFrom4([4]byte{198, 18, 0, 0})

const maxHosts = 1 << 14 // so many /30s fit below the virtual IP's 198.19.0.0

func linkAddresses(i int) (router, host netip.Addr) {
	b := firstLink.As4()
	n := 4 * i
	b[2], b[3] = byte(n>>8), byte(n)
	base := netip.AddrFrom4(b)
	router = base.Next()
	return router, router.Next()
}

// A router is the laboratory's own network namespace: one cable to each host,
// packets forwarded between them, and the filter that loses them.
type router struct {
	filter *filter

	mu   sync.Mutex
	next int // index of the next link; links are not reused
}

func newRouter() (*router, error) {
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return nil, fmt.Errorf("forward packets between the hosts: %w", err)
	}
	f, err := newFilter()
	if err != nil {
		return nil, err
	}
	return &router{filter: f}, nil
}

func (r *router) close() error { return r.filter.close() }

// A link is one host's namespace and its cable to the router.
type link struct {
	*namespace
	router *router
	cable  string // the interface's name at the router's end
	addr   netip.Addr
}

// connect makes a namespace with the given host name and a cable to it.
func (r *router) connect(hostname string) (_ *link, err error) {
	r.mu.Lock()
	i := r.next
	r.next++
	r.mu.Unlock()
	if i >= maxHosts {
		return nil, fmt.Errorf("connect %q: all %d links of the laboratory are used up", hostname, maxHosts)
	}
	ns, err := newNamespace(hostname)
	if err != nil {
		return nil, err
	}
	l := &link{namespace: ns, router: r, cable: fmt.Sprintf("host%d", i)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("connect %q: %w", hostname, err), l.close())
		}
	}()
	gateway, addr := linkAddresses(i)
	l.addr = addr
	if err := r.plug(l, gateway); err != nil {
		return nil, err
	}
	if err := l.configure(gateway); err != nil {
		return nil, err
	}
	return l, l.awaitCarrier()
}

// plug lays the cable and configures the router's end.
func (r *router) plug(l *link, gateway netip.Addr) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = l.cable
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(l.handle)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("add the interface pair %s: %w", l.cable, err)
	}
	here, err := netlink.LinkByName(l.cable)
	if err != nil {
		return fmt.Errorf("find %s: %w", l.cable, err)
	}
	if err := netlink.AddrAdd(here, linkNet(gateway)); err != nil {
		return fmt.Errorf("give %s the address %s: %w", l.cable, gateway, err)
	}
	if err := netlink.LinkSetUp(here); err != nil {
		return fmt.Errorf("set %s up: %w", l.cable, err)
	}
	return nil
}

// configure sets up the host's end: loopback, address and the way out.
func (l *link) configure(gateway netip.Addr) error {
	h, err := netlink.NewHandleAt(l.handle, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink in the host: %w", err)
	}
	defer h.Close()
	for _, name := range []string{"lo", "eth0"} {
		there, err := h.LinkByName(name)
		if err != nil {
			return fmt.Errorf("find %s in the host: %w", name, err)
		}
		if name == "eth0" {
			if err := h.AddrAdd(there, linkNet(l.addr)); err != nil {
				return fmt.Errorf("give the host the address %s: %w", l.addr, err)
			}
		}
		if err := h.LinkSetUp(there); err != nil {
			return fmt.Errorf("set %s in the host up: %w", name, err)
		}
	}
	if err := h.RouteAdd(&netlink.Route{Gw: gateway.AsSlice()}); err != nil {
		return fmt.Errorf("route the host through %s: %w", gateway, err)
	}
	return nil
}

const (
	carrierWait = 5 * time.Second // the kernel may take a second
	carrierPoll = time.Millisecond
)

// awaitCarrier waits until both ends of the cable carry packets. The kernel
// notices that a cable has two live ends a moment after the second is up, and
// loses without a word what is sent before; the sender's next attempt comes
// only a second later.
func (l *link) awaitCarrier() error {
	h, err := netlink.NewHandleAt(l.handle, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink in the host: %w", err)
	}
	defer h.Close()
	for begin := time.Now(); ; time.Sleep(carrierPoll) {
		here, err := netlink.LinkByName(l.cable)
		if err != nil {
			return fmt.Errorf("find %s: %w", l.cable, err)
		}
		there, err := h.LinkByName("eth0")
		if err != nil {
			return fmt.Errorf("find eth0 in the host: %w", err)
		}
		a, b := here.Attrs().OperState, there.Attrs().OperState
		if a == netlink.OperUp && b == netlink.OperUp {
			return nil
		}
		if time.Since(begin) > carrierWait {
			return fmt.Errorf("%s carries nothing after %s: the router's end is %s, the host's %s", l.cable, carrierWait, a, b)
		}
	}
}

func linkNet(a netip.Addr) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(30, 32)}}
}

// cut makes the router lose every packet from and to the host; mend ends that.
func (l *link) cut() error  { return l.router.filter.cut(l.cable) }
func (l *link) mend() error { return l.router.filter.mend(l.cable) }

// carry makes the router send what goes to the addresses of p to the host.
func (l *link) carry(p netip.Prefix) error {
	here, err := netlink.LinkByName(l.cable)
	if err != nil {
		return fmt.Errorf("find %s: %w", l.cable, err)
	}
	p = p.Masked()
	route := &netlink.Route{
		LinkIndex: here.Attrs().Index, Gw: l.addr.AsSlice(),
		Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
	}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("route %s through %s: %w", p, l.addr, err)
	}
	return nil
}

// close ends the host's processes and takes its cable away.
func (l *link) close() error {
	err := l.namespace.close()
	if here, e := netlink.LinkByName(l.cable); e == nil {
		// The kernel takes the pair away by itself once the last process of the
		// namespace is gone; which of us comes first does not matter.
		if e := netlink.LinkDel(here); e != nil && !errors.Is(e, unix.ENODEV) && !errors.Is(e, unix.EINVAL) {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", l.cable, e))
		}
	}
	return errors.Join(err, l.router.filter.mend(l.cable))
}
