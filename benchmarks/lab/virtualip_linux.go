package lab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// balance makes the virtual IP on this host name the given backends: each new
// connection is sent to one of them at random, by a chain of rules of which
// the i-th of k matches with probability 1/(k-i), which is how kube-proxy's
// iptables mode does it. Connections that exist stay where they are, for
// address translation looks at a connection's first packet only. With no
// backend at all a connection is refused by ICMP "port unreachable", again as
// kube-proxy does.
//
// The change is atomic: a connection sees the old backends or the new ones.
func (l *link) balance(vip netip.AddrPort, backends []netip.AddrPort) error {
	c, err := nftables.New(nftables.WithNetNSFd(int(l.handle)))
	if err != nil {
		return fmt.Errorf("packet filter of the host: %w", err)
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "virtual-ip"})
	translate := c.AddChain(&nftables.Chain{
		Name: "translate", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	refuse := c.AddChain(&nftables.Chain{
		Name: "refuse", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter,
	})
	// The same for what a host forwards, which are the packets of its Pods.
	translateForwarded := c.AddChain(&nftables.Chain{
		Name: "translate-forwarded", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	})
	refuseForwarded := c.AddChain(&nftables.Chain{
		Name: "refuse-forwarded", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	for _, chain := range []*nftables.Chain{translate, refuse, translateForwarded, refuseForwarded} {
		c.FlushChain(chain)
	}
	for _, chain := range []*nftables.Chain{translate, translateForwarded} {
		for i, b := range backends {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain,
				Exprs: append(addressedTo(vip), sendTo(b, len(backends)-i)...)})
		}
	}
	if len(backends) == 0 {
		for _, chain := range []*nftables.Chain{refuse, refuseForwarded} {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(addressedTo(vip),
				&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: 3})})
		}
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("packet filter of the host (needs the kernel's nf_tables with nat, numgen, reject and conntrack): %w", err)
	}
	return nil
}

// addressedTo matches TCP packets to the given address and port.
func addressedTo(to netip.AddrPort) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: to.Addr().AsSlice()},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(to.Port())},
	}
}

// sendTo rewrites the destination of one connection in oneIn.
func sendTo(b netip.AddrPort, oneIn int) []expr.Any {
	var draw []expr.Any
	if oneIn > 1 {
		draw = []expr.Any{
			&expr.Numgen{Register: 1, Modulus: uint32(oneIn), Type: unix.NFT_NG_RANDOM},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(0)},
		}
	}
	return append(draw,
		&expr.Immediate{Register: 1, Data: b.Addr().AsSlice()},
		&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(b.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
	)
}

func addrPort(ip net.IP, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), port)
}
