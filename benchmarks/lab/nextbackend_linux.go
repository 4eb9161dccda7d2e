package lab

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// next puts a rule before those of balance that sends one connection, the next,
// to that backend: its counter is zero once in two billion connections.
func (l *link) next(vip, to netip.AddrPort) error {
	c, err := nftables.New(nftables.WithNetNSFd(int(l.handle)))
	if err != nil {
		return fmt.Errorf("packet filter of the host: %w", err)
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "virtual-ip"})
	chain := c.AddChain(&nftables.Chain{
		Name: "translate", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	once := []expr.Any{
		&expr.Numgen{Register: 1, Modulus: math.MaxInt32, Type: unix.NFT_NG_INCREMENTAL},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(0)},
	}
	c.InsertRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(append(addressedTo(vip), once...), sendTo(to, 1)...)})
	if err := c.Flush(); err != nil {
		return fmt.Errorf("packet filter of the host (needs the kernel's nf_tables with nat, numgen and conntrack): %w", err)
	}
	return nil
}
