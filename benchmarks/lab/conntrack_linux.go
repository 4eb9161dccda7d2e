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

// opened returns where the established connections lead that processes on the
// host have opened, after translation.
func (l *link) opened() ([]netip.AddrPort, error) {
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
		tcp, ok := f.ProtoInfo.(*netlink.ProtoInfoTCP)
		if ok && tcp.State == established && addrPort(f.Forward.SrcIP, f.Forward.SrcPort).Addr() == l.addr {
			to = append(to, addrPort(f.Reverse.SrcIP, f.Reverse.SrcPort)) // the answers come from the backend
		}
	}
	return to, nil
}
