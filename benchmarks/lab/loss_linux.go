package lab

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The places of what is matched in a packet's headers, in bytes.
const (
	sourceOffset      = 12
	destinationOffset = 16
	tcpFlagsOffset    = 13
)

// lose makes exactly these packets vanish between hosts, and no others but
// those of cables that are cut.
func (r *router) lose(losses []Loss) error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("packet filter of the router: %w", err)
	}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "holdfast-lab-loss"})
	chain := c.AddChain(&nftables.Chain{
		Name: "forward", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	c.FlushChain(chain)
	for _, loss := range losses {
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(loss.matches(), &expr.Verdict{Kind: expr.VerdictDrop})})
	}
	if len(losses) == 0 {
		c.DelTable(table)
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("packet filter of the router: %w", err)
	}
	return nil
}

// matches is the loss as the packet filter has it.
func (l Loss) matches() []expr.Any {
	var all []expr.Any
	if l.From.IsValid() {
		all = append(all,
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: sourceOffset, Len: 4},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: l.From.AsSlice()})
	}
	if l.To.IsValid() {
		all = append(all,
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: destinationOffset, Len: 4},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: l.To.AsSlice()})
	}
	if l.Flags != 0 {
		all = append(all,
			&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: tcpFlagsOffset, Len: 1},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{byte(l.Flags)}, Xor: []byte{0}},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{0}})
	}
	return all
}
