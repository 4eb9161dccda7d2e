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

// SetNextBackend is SetBackendAddrs, but that the next new connection goes to
// first; the draw is for those after it. So a fault of one backend is met
// whatever the draw.
func (h *Host) SetNextBackend(first netip.AddrPort, backends ...netip.AddrPort) error {
	if !first.Addr().Is4() || first.Port() == 0 {
		return fmt.Errorf("lab: next backend %s of host %q: must be an IPv4 address and a port", first, h.name)
	}
	if err := h.SetBackendAddrs(backends...); err != nil {
		return err
	}
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	if err := h.link.next(VirtualIP, first); err != nil {
		return fmt.Errorf("lab: virtual IP of host %q, next backend %s: %w", h.name, first, err)
	}
	return nil
}

// ConnectedTo returns the addresses to which processes on this host hold
// established connections that they have opened, by the virtual IP or without
// it, sorted, each once. As with [Host.Connected] it is what the host believes.
func (h *Host) ConnectedTo() ([]netip.AddrPort, error) {
	to, err := h.link.opened()
	if err != nil {
		return nil, fmt.Errorf("lab: connections of host %q: %w", h.name, err)
	}
	slices.SortFunc(to, netip.AddrPort.Compare)
	return slices.Compact(to), nil
}

// ForgetConnections empties the host's connection tracking, as a node does
// whose table overflows or is flushed by hand. A packet of a connection that
// exists is then taken for the beginning of a new one: it is translated to a
// backend drawn anew, which knows nothing of it and resets it. What a backend
// sends on its own matches no connection of the host's, which resets it.
func (h *Host) ForgetConnections() error {
	if err := h.link.forget(); err != nil {
		return fmt.Errorf("lab: host %q: %w", h.name, err)
	}
	return nil
}
