package lab

import (
	"fmt"
	"net/netip"
	"slices"
)

// SetBackendAddrs is [Host.SetBackends] for backends that are no API servers of
// the lab's: the virtual IP names these addresses on this host for new
// connections, until SetBackends says otherwise. An address twice, or one that
// is not IPv4, is an error.
func (h *Host) SetBackendAddrs(backends ...netip.AddrPort) error {
	for i, b := range backends {
		if !b.Addr().Is4() || b.Port() == 0 {
			return fmt.Errorf("lab: backend %s of host %q: must be an IPv4 address and a port", b, h.name)
		}
		if slices.Contains(backends[:i], b) {
			return fmt.Errorf("lab: backends %v of host %q name %s twice", backends, h.name, b)
		}
	}
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	if err := h.link.balance(VirtualIP, backends); err != nil {
		return fmt.Errorf("lab: virtual IP of host %q, backends %v: %w", h.name, backends, err)
	}
	return nil
}
