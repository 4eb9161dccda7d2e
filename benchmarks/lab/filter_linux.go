package lab

import (
	"fmt"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A filter is the router's packet filter. It holds the set of cables whose
// packets vanish. They vanish at the router, on their way in, through and out:
// no host is told, by reset or by ICMP.
type filter struct {
	table *nftables.Table
	set   *nftables.Set

	mu     sync.Mutex
	silent map[string]bool
}

func newFilter() (*filter, error) {
	c, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("packet filter of the router: %w", err)
	}
	f := &filter{silent: map[string]bool{}}
	f.table = c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "holdfast-lab"})
	f.set = &nftables.Set{Table: f.table, Name: "cut", KeyType: nftables.TypeIFName}
	if err := c.AddSet(f.set, nil); err != nil {
		return nil, fmt.Errorf("packet filter of the router: %w", err)
	}
	for _, at := range []struct {
		name string
		hook *nftables.ChainHook
		keys []expr.MetaKey
	}{
		{"input", nftables.ChainHookInput, []expr.MetaKey{expr.MetaKeyIIFNAME}},
		{"forward", nftables.ChainHookForward, []expr.MetaKey{expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME}},
		{"output", nftables.ChainHookOutput, []expr.MetaKey{expr.MetaKeyOIFNAME}},
	} {
		chain := c.AddChain(&nftables.Chain{
			Name: at.name, Table: f.table, Type: nftables.ChainTypeFilter,
			Hooknum: at.hook, Priority: nftables.ChainPriorityFilter,
		})
		for _, key := range at.keys {
			c.AddRule(&nftables.Rule{Table: f.table, Chain: chain, Exprs: []expr.Any{
				&expr.Meta{Key: key, Register: 1},
				&expr.Lookup{SourceRegister: 1, SetName: f.set.Name, SetID: f.set.ID},
				&expr.Verdict{Kind: expr.VerdictDrop},
			}})
		}
	}
	if err := c.Flush(); err != nil {
		return nil, fmt.Errorf("packet filter of the router (needs the kernel's nf_tables): %w", err)
	}
	return f, nil
}

func (f *filter) cut(cable string) error  { return f.change(cable, true) }
func (f *filter) mend(cable string) error { return f.change(cable, false) }

func (f *filter) change(cable string, silent bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.silent[cable] == silent {
		return nil
	}
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("packet filter of the router: %w", err)
	}
	change := c.SetDeleteElements
	if silent {
		change = c.SetAddElements
	}
	if err := change(f.set, []nftables.SetElement{{Key: interfaceName(cable)}}); err != nil {
		return fmt.Errorf("packet filter of the router, %s: %w", cable, err)
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("packet filter of the router, %s: %w", cable, err)
	}
	f.silent[cable] = silent
	return nil
}

func (f *filter) close() error {
	c, err := nftables.New()
	if err != nil {
		return fmt.Errorf("remove the router's packet filter: %w", err)
	}
	c.DelTable(f.table)
	if err := c.Flush(); err != nil {
		return fmt.Errorf("remove the router's packet filter: %w", err)
	}
	return nil
}

// interfaceName is a name as the kernel compares it: zero-padded to its bound.
func interfaceName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}
