package lab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// forget empties the host's table of tracked connections.
func (l *link) forget() error {
	h, err := netlink.NewHandleAt(l.handle, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open conntrack in the host: %w", err)
	}
	defer h.Close()
	if err := h.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
		return fmt.Errorf("flush conntrack's table in the host: %w", err)
	}
	return nil
}

// established is the state in which conntrack keeps a TCP connection that has
// been opened and not yet closed by either side.
const established = 3

// translated returns where the host's established connections to the virtual
// IP really lead.
func (l *link) translated(vip netip.AddrPort) ([]netip.AddrPort, error) {
	return l.connections(func(f netlink.IPTuple) bool { return addrPort(f.DstIP, f.DstPort) == vip })
}

// opened returns where the established connections lead that processes on the
// host have opened, after translation.
func (l *link) opened() ([]netip.AddrPort, error) {
	return l.connections(func(f netlink.IPTuple) bool { return addrPort(f.SrcIP, f.SrcPort).Addr() == l.addr })
}

func (l *link) connections(of func(forward netlink.IPTuple) bool) ([]netip.AddrPort, error) {
	h, err := netlink.NewHandleAt(l.handle, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open conntrack in the host: %w", err)
	}
	defer h.Close()
	flows, err := h.ConntrackTableList(netlink.ConntrackTable, unix.AF_INET)
	if err != nil {
		return nil, fmt.Errorf("list conntrack's table in the host: %w", err)
	}
	var to []netip.AddrPort
	for _, f := range flows {
		if tcp, ok := f.ProtoInfo.(*netlink.ProtoInfoTCP); ok && tcp.State == established && of(f.Forward) {
			to = append(to, addrPort(f.Reverse.SrcIP, f.Reverse.SrcPort)) // the answers come from the backend
		}
	}
	return to, nil
}
