package scenario

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// relayPort is where a relay listens on its host.
const relayPort = 6443

// Relay stands between members of a fleet and one API server and passes the
// bytes of their connections on, until [Relay.HoldBack]. It knows nothing of
// TLS: what it holds back it cannot read. Its methods are safe for concurrent
// use.
type Relay struct {
	fleet      *Fleet
	name       string
	kubeconfig string
	forwarder  *forwarder
}

// NewRelay puts a relay to the API server of that index on a new host of the
// fleet. The relay lives as long as the fleet.
func (f *Fleet) NewRelay(ctx context.Context, name string, server int) (*Relay, error) {
	host, err := f.host(name)
	if err != nil {
		return nil, fmt.Errorf("relay %q: %w", name, err)
	}
	at := netip.AddrPortFrom(host.Addr(), relayPort)
	kubeconfig, err := reroute(f.run.stage.lab.Dir(), f.run.stage.kubeconfig, "https://"+at.String(), lab.VirtualIP.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("relay %q: %w", name, err)
	}
	listener, err := host.Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, fmt.Errorf("relay %q: %w", name, err)
	}
	to := f.run.stage.lab.APIServers()[server].Addr().String()
	r := &Relay{fleet: f, name: name, kubeconfig: kubeconfig, forwarder: forward(listener, func(ctx context.Context) (net.Conn, error) {
		return host.Dial(ctx, "tcp", to)
	})}
	f.relays = append(f.relays, r)
	return r, nil
}

// HoldBack delays the next answer of the server, and what passes within the
// time by from then, by that time. What comes later reaches nobody, in either
// direction; connections that neither side ends stay open, and silent. It is a
// fault of the fleet.
func (r *Relay) HoldBack(by time.Duration) error {
	how := fmt.Sprintf("one more answer, %v late, and then silence", by)
	return r.fleet.run.Harm(stage.Fault{On: r.name, How: how, Do: func() error {
		r.forwarder.holdBack(by)
		return nil
	}})
}

// Close ends all connections and returns when nothing of the relay runs.
func (r *Relay) Close() error {
	if err := r.forwarder.close(); err != nil {
		return fmt.Errorf("close relay %q: %w", r.name, err)
	}
	return nil
}

// reroute writes a copy of a kubeconfig into dir that has another server. name is what
// its certificate must bear; empty is the host of the server.
func reroute(dir, kubeconfig, server, name string) (string, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return "", fmt.Errorf("load its kubeconfig: %w", err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.TLSServerName = server, name
	}
	file, err := os.CreateTemp(dir, "relay-*.kubeconfig")
	if err != nil {
		return "", fmt.Errorf("create its kubeconfig: %w", err)
	}
	if err := errors.Join(file.Close(), clientcmd.WriteToFile(*config, file.Name())); err != nil {
		return "", fmt.Errorf("write its kubeconfig: %w", err)
	}
	return file.Name(), nil
}
