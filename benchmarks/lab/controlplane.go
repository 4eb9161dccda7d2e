package lab

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// startControlPlane starts etcd and then all API servers at once.
func (l *Lab) startControlPlane(ctx context.Context) error {
	begin := time.Now()
	progress := func(format string, args ...any) {
		fmt.Fprintf(l.options.Progress, "lab: %s (%.1f s)\n", fmt.Sprintf(format, args...), time.Since(begin).Seconds())
	}
	stop := tell(l.options.Progress, func() string { return "waiting for the control plane" })
	defer stop()
	if err := l.newEtcd(); err != nil {
		return err
	}
	if err := l.etcd.run(ctx); err != nil {
		return err
	}
	progress("etcd is ready at %s", l.etcd.host.Addr())
	shared, err := l.writeShared()
	if err != nil {
		return err
	}
	for i := range l.options.APIServers {
		if err := l.newAPIServer(i, shared); err != nil {
			return err
		}
	}
	return inParallel(l.servers, func(a *APIServer) error {
		if err := a.run(ctx); err != nil {
			return err
		}
		progress("%s is ready at %s", a.host.name, a.Addr())
		return nil
	})
}

func (s *Server) run(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	return s.Ready(ctx)
}

func (l *Lab) newEtcd() error {
	h, err := l.NewHost("etcd")
	if err != nil {
		return err
	}
	client := "http://" + netip.AddrPortFrom(h.Addr(), etcdPort).String()
	const peer = "http://127.0.0.1:2380"
	l.etcd = &Server{host: h, probe: probeEtcd(client), command: Command{
		Path: l.options.Binaries.Etcd,
		Args: append([]string{
			"--name=etcd",
			"--data-dir=" + filepath.Join(l.dir.path, "etcd"),
			"--listen-client-urls=" + client,
			"--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer,
			"--initial-advertise-peer-urls=" + peer,
			"--initial-cluster=etcd=" + peer,
			"--unsafe-no-fsync",                                 // the data dies with the lab; the disk's speed is not what is measured
			"--heartbeat-interval=10", "--election-timeout=100", // ms; one member need not give others time to vote
			"--log-level=warn",
		}, l.options.EtcdArgs...),
	}}
	return nil
}

// sharedFiles are the files that all API servers use.
type sharedFiles struct{ ca, accountKey, accountPublicKey string }

func (l *Lab) writeShared() (sharedFiles, error) {
	key, err := newKey()
	if err != nil {
		return sharedFiles{}, err
	}
	private, err := encodeKey(key)
	if err != nil {
		return sharedFiles{}, err
	}
	public, err := encodePublicKey(key.Public())
	if err != nil {
		return sharedFiles{}, err
	}
	s := sharedFiles{
		ca:               filepath.Join(l.dir.path, "ca.crt"),
		accountKey:       filepath.Join(l.dir.path, "service-account.key"),
		accountPublicKey: filepath.Join(l.dir.path, "service-account.pub"),
	}
	return s, writeFiles(map[string][]byte{
		s.ca: l.authority.pem, s.accountKey: private, s.accountPublicKey: public,
	})
}

func writeFiles(files map[string][]byte) error {
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("lab: %w", err)
		}
	}
	return nil
}

// newAPIServer prepares the i-th API server. Each has a host name of its own,
// because an API server's identity Lease is named after its host.
func (l *Lab) newAPIServer(i int, s sharedFiles) error {
	h, err := l.NewHost(fmt.Sprintf("api-%d", i))
	if err != nil {
		return err
	}
	a := &APIServer{Index: i, Server: &Server{host: h}}
	pair, err := l.authority.server([]string{h.name, "localhost", "kubernetes.default.svc"},
		h.Addr(), VirtualIP.Addr(), netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	dir := filepath.Join(l.dir.path, h.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if err := writeFiles(map[string][]byte{cert: pair.cert, key: pair.key}); err != nil {
		return err
	}
	config, err := l.config("https://"+a.Addr().String(), observerName, Masters)
	if err != nil {
		return err
	}
	if a.probe, err = probeAPI(config); err != nil {
		return err
	}
	path, err := l.apiServerPath(i)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	audit, err := l.audit(a, dir)
	if err != nil {
		return err
	}
	a.command = Command{
		Path: path,
		Args: slices.Concat([]string{
			"--etcd-servers=http://" + netip.AddrPortFrom(l.etcd.host.Addr(), etcdPort).String(),
			fmt.Sprintf("--secure-port=%d", apiPort),
			"--advertise-address=" + h.Addr().String(),
			"--tls-cert-file=" + cert,
			"--tls-private-key-file=" + key,
			"--cert-dir=" + dir,
			"--client-ca-file=" + s.ca,
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + s.accountPublicKey,
			"--service-account-signing-key-file=" + s.accountKey,
			"--service-cluster-ip-range=10.96.0.0/16",
			"--authorization-mode=RBAC",
			"--disable-admission-plugins=ServiceAccount", // nobody runs the controller that makes accounts
			"--endpoint-reconciler-type=none",            // the virtual IP is ours, and no Endpoints name it
		}, audit, l.options.APIServerArgs),
	}
	l.servers = append(l.servers, a)
	return nil
}

// apiServerPath is the program of the i-th API server.
func (l *Lab) apiServerPath(i int) (string, error) {
	minor := ""
	if i < len(l.options.APIServerMinors) {
		minor = l.options.APIServerMinors[i]
	}
	return l.options.Binaries.apiServer(minor)
}

// revive makes a server run and be ready, whatever was done to it.
func (s *Server) revive(ctx context.Context) error {
	p := s.Process()
	select {
	case <-p.Done():
		return s.Restart(ctx)
	default:
	}
	if err := p.Thaw(); err != nil {
		return err
	}
	return s.Ready(ctx)
}

// tellEvery is how often a long wait says that it still goes on.
const tellEvery = 15 * time.Second

// tell writes what, and how long it has taken so far, every 15 s until stop is
// called; stop returns when nothing more will be written.
func tell(w io.Writer, what func() string) (stop func()) {
	begin := time.Now()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				fmt.Fprintf(w, "lab: %s: %s\n", what(), time.Since(begin).Round(time.Second))
			}
		}
	}()
	return func() { close(quit); <-done }
}
