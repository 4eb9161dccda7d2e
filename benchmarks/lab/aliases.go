package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// SetAliases makes the names lead to addr, for the processes that are started on the
// host from now on and for no others, as the hostAliases of a Pod do: they see an
// /etc/hosts of the host's own, which holds localhost and these names. Names that were
// set before are gone.
func (h *Host) SetAliases(addr netip.Addr, names ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return fmt.Errorf("lab: aliases of host %q: the host is closed", h.name)
	}
	file := filepath.Join(h.lab.dir.path, h.name+".hosts")
	content := fmt.Sprintf("127.0.0.1 localhost\n%s %s\n", addr, strings.Join(names, " "))
	err := os.WriteFile(file, []byte(content), 0o644)
	if err == nil {
		err = h.link.cover("/etc/hosts", file)
	}
	if err != nil {
		return fmt.Errorf("lab: aliases of host %q: %w", h.name, err)
	}
	return nil
}
