package matrix

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/matrix/front"
	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

const (
	// namespace holds all objects.
	namespace = "matrix"
	// user is who all columns are; its role allows what they need and no more.
	user = "matrix"
	// The ports where fronts, proxies and the nameserver listen.
	frontPort, proxyPort, nameserverPort = 6443, 3128, 53
)

// Stage is what all faults share: a host for each column, the fronts, the proxies,
// the nameserver, and the observer at the last API server, which nothing harms. It
// is for one goroutine at a time.
type Stage struct {
	lab      *lab.Lab
	observer kubernetes.Interface
	config   *rest.Config // the observer's
	hosts    map[string]*lab.Host
	servers  []netip.AddrPort // the API servers

	fronts     []*front.Front
	frontAddrs []netip.AddrPort
	proxies    []*front.Proxy
	proxyAddrs []netip.AddrPort
	names      *nameserver
	namesAt    netip.AddrPort

	// The kubeconfigs: by the virtual IP, by name, by the virtual IP with the token
	// in tokenFile, and by name through a proxy at the virtual IP.
	byVIP, byName, byToken, byProxy, bySOCKS string
	tokenFile                                string
	plays                                    int
}

// NewStage prepares l, which needs three API servers. Close ends what it added.
func NewStage(ctx context.Context, l *lab.Lab) (_ *Stage, err error) {
	s := &Stage{lab: l, hosts: map[string]*lab.Host{}, tokenFile: filepath.Join(l.Dir(), "token")}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("set the matrix's stage: %w", err), s.Close())
		}
	}()
	for _, a := range l.APIServers() {
		s.servers = append(s.servers, a.Addr())
	}
	if len(s.servers) != backends {
		return nil, fmt.Errorf("the laboratory has %d API servers: must be %d", len(s.servers), backends)
	}
	if s.observer, s.config, err = l.Observer(backends - 1); err != nil {
		return nil, err
	}
	rules := []rbacv1.PolicyRule{stage.Leases(), stage.Rule("", "configmaps", "get", "update", "list", "watch")}
	if err := stage.Make(ctx, s.config, stage.Rights(namespace, user, rules, stage.Users(user)...)...); err != nil {
		return nil, err
	}
	if err := s.writeKubeconfigs(); err != nil {
		return nil, err
	}
	for i := range s.servers {
		if err := errors.Join(s.addFront(ctx, i), s.addProxy(ctx, i)); err != nil {
			return nil, err
		}
	}
	return s, s.addNameserver(ctx)
}

// writeKubeconfigs writes the ways to the API.
func (s *Stage) writeKubeconfigs() (err error) {
	if s.byVIP, err = s.lab.Kubeconfig(user); err != nil {
		return err
	}
	write := func(name string, change func(*clientcmdapi.Config)) (string, error) {
		config, err := clientcmd.LoadFromFile(s.byVIP)
		if err != nil {
			return "", fmt.Errorf("read the kubeconfig of user %s: %w", user, err)
		}
		change(config)
		path := filepath.Join(s.lab.Dir(), name+".kubeconfig")
		if err := clientcmd.WriteToFile(*config, path); err != nil {
			return "", fmt.Errorf("write kubeconfig %s: %w", path, err)
		}
		return path, nil
	}
	byName := func(proxy string) func(*clientcmdapi.Config) {
		return func(c *clientcmdapi.Config) {
			for _, cluster := range c.Clusters {
				cluster.Server = fmt.Sprintf("https://%s:%d", serverName, s.servers[0].Port())
				cluster.ProxyURL = proxy
			}
		}
	}
	if s.byName, err = write("by-name", byName("")); err != nil {
		return err
	}
	if s.byProxy, err = write("by-proxy", byName("http://"+lab.VirtualIP.String())); err != nil {
		return err
	}
	if s.bySOCKS, err = write("by-socks", byName("socks5://"+lab.VirtualIP.String())); err != nil {
		return err
	}
	s.byToken, err = write("by-token", func(c *clientcmdapi.Config) {
		for _, info := range c.AuthInfos {
			info.ClientCertificateData, info.ClientKeyData = nil, nil
			info.TokenFile = s.tokenFile
		}
	})
	return err
}

// setToken writes the token file.
func (s *Stage) setToken(token string) error {
	// A reader sees the old token or the new one.
	partial := s.tokenFile + ".new"
	if err := os.WriteFile(partial, []byte(token), 0o600); err != nil {
		return fmt.Errorf("write the token: %w", err)
	}
	return os.Rename(partial, s.tokenFile)
}

// addFront puts a front before the i-th API server.
func (s *Stage) addFront(ctx context.Context, i int) error {
	host, err := s.host(fmt.Sprintf("front-%d", i))
	if err != nil {
		return err
	}
	at := netip.AddrPortFrom(host.Addr(), frontPort)
	certificate, err := s.lab.ServerCertificate(host.Name(), host.Addr())
	if err != nil {
		return err
	}
	_, config, err := s.lab.Observer(i)
	if err != nil {
		return err
	}
	upstream, err := rest.TransportFor(config)
	if err != nil {
		return fmt.Errorf("front %d: %w", i, err)
	}
	to, err := url.Parse(config.Host)
	if err != nil {
		return fmt.Errorf("front %d: %w", i, err)
	}
	f, err := front.New(front.Options{
		Listen:      func() (net.Listener, error) { return host.Listen(ctx, "tcp", at.String()) },
		Certificate: certificate, ClientCAs: s.lab.CAs(), Upstream: upstream, URL: to,
	})
	if err != nil {
		return err
	}
	s.fronts, s.frontAddrs = append(s.fronts, f), append(s.frontAddrs, at)
	return nil
}

// addProxy puts a proxy before the i-th API server.
func (s *Stage) addProxy(ctx context.Context, i int) error {
	host, err := s.host(fmt.Sprintf("proxy-%d", i))
	if err != nil {
		return err
	}
	at := netip.AddrPortFrom(host.Addr(), proxyPort)
	l, err := host.Listen(ctx, "tcp", at.String())
	if err != nil {
		return err
	}
	dial := func() (net.Conn, error) { return host.Dial(ctx, "tcp", s.servers[i].String()) }
	s.proxies, s.proxyAddrs = append(s.proxies, front.NewProxy(l, dial)), append(s.proxyAddrs, at)
	return nil
}

func (s *Stage) addNameserver(ctx context.Context) error {
	host, err := s.host("names")
	if err != nil {
		return err
	}
	s.namesAt = netip.AddrPortFrom(host.Addr(), nameserverPort)
	l, err := host.Listen(ctx, "tcp", s.namesAt.String())
	if err != nil {
		return err
	}
	s.names = newNameserver(l)
	return nil
}

// host returns the host of that name, a new one if there is none.
func (s *Stage) host(name string) (*lab.Host, error) {
	if h, known := s.hosts[name]; known {
		return h, nil
	}
	h, err := s.lab.NewHost(name)
	if err == nil {
		s.hosts[name] = h
	}
	return h, err
}

// mend undoes all that a fault has done, and waits until the API servers that
// were harmed are well.
func (s *Stage) mend(ctx context.Context, harmed bool) error {
	errs := []error{s.lab.LoseNothing()}
	for _, f := range s.fronts {
		errs = append(errs, f.Mend())
		f.HangUp(true)
	}
	for _, p := range s.proxies {
		p.Mend()
	}
	if harmed {
		errs = append(errs, s.lab.Mend(ctx))
		for i := range s.servers[:backends-1] {
			errs = append(errs, stage.Well(ctx, s.lab, i, stage.Prompt))
		}
	}
	for _, h := range s.hosts {
		errs = append(errs, h.ForgetConnections()) // those that ended without a word
	}
	return errors.Join(errs...)
}

// Close takes away what NewStage has added but for the namespace.
func (s *Stage) Close() error {
	var errs []error
	for _, f := range s.fronts {
		errs = append(errs, f.Close())
	}
	for _, p := range s.proxies {
		errs = append(errs, p.Close())
	}
	if s.names != nil {
		errs = append(errs, s.names.close())
	}
	for _, h := range s.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}

// others are the addresses but for the first n.
func others(all []netip.AddrPort, n int) []netip.AddrPort { return slices.Clone(all[n:]) }
