package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// A Host is a machine of the laboratory: a network, an address and a host name
// of its own, and a cable to the router. It reaches the other hosts, and the
// API servers also through the virtual IP.
//
// All methods are safe for concurrent use, except that nothing may be called
// on a host after [Host.Close].
type Host struct {
	lab  *Lab
	name string
	link *link
	log  *os.File

	mu        sync.Mutex
	processes []*Process
	cut       bool
	closed    bool

	closing  sync.Once
	closeErr error // written by closing
}

// NewHost adds a host. Its virtual IP names what the last [Lab.SetBackends]
// said, at first every API server. The name is the host's own host name: a DNS
// label that no other host of the lab bears.
func (l *Lab) NewHost(name string) (*Host, error) {
	if !isLabel(name) {
		return nil, fmt.Errorf("lab: new host %q: the name must be a DNS label (a-z, 0-9 and -, at most 63)", name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("lab: new host %q: the lab is closed", name)
	}
	if slices.ContainsFunc(l.hosts, func(h *Host) bool { return h.name == name }) {
		return nil, fmt.Errorf("lab: new host %q: there is a host of that name", name)
	}
	log, err := os.OpenFile(filepath.Join(l.dir.path, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lab: new host %q: its log: %w", name, err)
	}
	link, err := l.router.connect(name)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lab: new host: %w", err), log.Close())
	}
	h := &Host{lab: l, name: name, link: link, log: log}
	if err := h.setBackends(l.backends); err != nil {
		return nil, errors.Join(fmt.Errorf("lab: new host %q: %w", name, err), link.close(), log.Close())
	}
	l.hosts = append(l.hosts, h)
	return h, nil
}

// Name is the host's name.
func (h *Host) Name() string { return h.name }

// Addr is the host's own address.
func (h *Host) Addr() netip.Addr { return h.link.addr }

// LogPath is the file that takes the output of processes that say nothing else.
func (h *Host) LogPath() string { return h.log.Name() }

// Start runs a program on the host. The program sees the laboratory's files
// but only the host's network and name.
func (h *Host) Start(c Command) (*Process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("lab: start %s on host %q: the host is closed", c.Path, h.name)
	}
	p, err := start(h.link, h.name, c, h.log)
	if err != nil {
		return nil, err
	}
	h.processes = append(slices.DeleteFunc(h.processes, func(p *Process) bool {
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	}), p)
	return p, nil
}

// Dial connects from the host to address, whose host part is an IP address.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := h.link.enter(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lab: from host %q: %w", h.name, err)
	}
	return conn, nil
}

// Listen listens on the host at address, whose host part is an IP address or
// empty.
func (h *Host) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var l net.Listener
	err := h.link.enter(func() (err error) {
		var c net.ListenConfig
		l, err = c.Listen(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lab: on host %q: %w", h.name, err)
	}
	return l, nil
}

// Cut takes the host off the network silently, as a power cut does: from now
// on packets from it and to it vanish at the router. Nobody gets a reset or an
// ICMP message, its processes go on. Cutting a cut host does nothing.
func (h *Host) Cut() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.link.cut(); err != nil {
		return fmt.Errorf("lab: cut host %q off: %w", h.name, err)
	}
	h.cut = true
	return nil
}

// Mend ends [Host.Cut]. Connections that both ends still hold go on.
func (h *Host) Mend() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.link.mend(); err != nil {
		return fmt.Errorf("lab: mend host %q: %w", h.name, err)
	}
	h.cut = false
	return nil
}

// IsCut reports whether the host is cut off.
func (h *Host) IsCut() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cut
}

// SetBackends says which API servers, by index, the virtual IP names on this
// host for new connections; each new connection gets one of them at random.
// Connections that exist stay where they are. With no index at all new
// connections are refused.
func (h *Host) SetBackends(servers ...int) error {
	h.lab.mu.Lock()
	defer h.lab.mu.Unlock()
	if err := h.lab.checkBackends(servers); err != nil {
		return err
	}
	return h.setBackends(servers)
}

func (h *Host) setBackends(servers []int) error {
	to := make([]netip.AddrPort, len(servers))
	for i, s := range servers {
		to[i] = h.lab.servers[s].Addr()
	}
	if err := h.link.balance(VirtualIP, to); err != nil {
		return fmt.Errorf("lab: virtual IP of host %q, backends %v: %w", h.name, servers, err)
	}
	return nil
}

// Carry makes the other hosts reach the addresses of p, which must be in
// 198.18.0.0/15 and no link of the lab's, through this host: those of the Pods of a
// node, say. It is up to the host to forward packets. What it forwards to the virtual
// IP is translated as what it sends itself.
func (h *Host) Carry(p netip.Prefix) error {
	if err := h.link.carry(p); err != nil {
		return fmt.Errorf("lab: addresses behind host %q: %w", h.name, err)
	}
	return nil
}

// Connected returns the indices of the API servers to which processes on this
// host hold established connections through the virtual IP, in order, each
// once. It is what the host itself believes: a connection to a server that has
// been cut off is still one.
func (h *Host) Connected() ([]int, error) {
	to, err := h.link.translated(VirtualIP)
	if err != nil {
		return nil, fmt.Errorf("lab: connections of host %q: %w", h.name, err)
	}
	var servers []int
	for _, s := range h.lab.servers {
		if slices.Contains(to, s.Addr()) {
			servers = append(servers, s.Index)
		}
	}
	return servers, nil
}

// Close kills the host's processes, removes the host from the lab and returns
// when both is done. Closing a closed host does nothing.
func (h *Host) Close() error {
	h.closing.Do(func() {
		if err := h.close(); err != nil {
			h.closeErr = fmt.Errorf("lab: close host %q: %w", h.name, err)
		}
	})
	return h.closeErr
}

func (h *Host) close() error {
	h.lab.mu.Lock()
	h.lab.hosts = slices.DeleteFunc(h.lab.hosts, func(o *Host) bool { return o == h })
	h.lab.mu.Unlock()

	h.mu.Lock()
	h.closed = true
	processes := h.processes
	h.mu.Unlock()

	var errs []error
	for _, p := range processes {
		errs = append(errs, p.Kill())
	}
	return errors.Join(append(errs, h.link.close(), h.log.Close())...)
}

// isLabel reports whether name is a DNS label.
func isLabel(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for _, c := range name {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
