package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// VirtualIP is where contenders reach the API: an address that no host has and
// that every host translates to one of its backends.
var VirtualIP = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 19, 0, 1}), 443)

const (
	apiPort  = 6443
	etcdPort = 2379

	defaultAPIServers   = 3
	defaultStartTimeout = 2 * time.Minute
)

// Options say what [Start] builds. The zero value is a good lab.
type Options struct {
	// APIServers is how many API servers run; 0 means 3.
	APIServers int
	// APIServerMinors are the minor versions of the API servers, by index, such as
	// "1.36". An empty one, and each beyond the end, is Binaries.KubeAPIServer:
	// the newest, or that of KUBEBUILDER_ASSETS. The others must be in
	// Binaries.Minors, where those that were named to [Enter] are. Servers of
	// different minors serve side by side, as while a control plane is upgraded.
	APIServerMinors []string
	// Dir takes logs, data and keys. Empty means a temporary folder that Close
	// removes, and the next lab if this one dies; a folder that is named here
	// stays, and must be empty or new.
	Dir string
	// Keep keeps the temporary folder, for a look at the logs afterwards.
	Keep bool
	// Progress receives a line for each step and every 15 s of waiting. Nil
	// means none.
	Progress io.Writer
	// StartTimeout bounds the start of the control plane; 0 means 2 min.
	StartTimeout time.Duration
	// Binaries are the programs to run. The zero value means those that
	// [Enter] has prepared.
	Binaries Binaries
	// Audit makes each API server write down every request when it comes in, but for
	// the servers' own and the lab's: see [APIServer.AuditLog].
	Audit bool
	// APIServerArgs and EtcdArgs are added after the lab's own arguments and
	// override them.
	APIServerArgs, EtcdArgs []string
}

// A Lab is a control plane on hosts of its own, and hosts that contend. At most
// one is open in a process.
//
// All methods are safe for concurrent use.
type Lab struct {
	options   Options
	dir       *folder
	router    *router
	authority *authority
	etcd      *Server
	servers   []*APIServer

	mu       sync.Mutex
	hosts    []*Host
	backends []int // of new hosts
	losses   []Loss
	closed   bool
}

// open guards the router's namespace, of which a process has one.
var open atomic.Bool

// ErrOutside is wrapped by the error of [Start] when [Enter] was not called.
var ErrOutside = errors.New("not inside the laboratory: call lab.Enter first in main or TestMain")

// Start builds the lab: etcd and the API servers, each on a host of its own,
// and waits until all of them are ready. ctx bounds the start, not the life of
// the lab. If the start fails nothing is left of it, and the error quotes the
// end of the log of what failed.
func Start(ctx context.Context, o Options) (_ *Lab, err error) {
	if o.APIServers < 0 {
		return nil, fmt.Errorf("lab: start: APIServers is %d: must be positive, or 0 for %d", o.APIServers, defaultAPIServers)
	}
	if o.StartTimeout < 0 {
		return nil, fmt.Errorf("lab: start: StartTimeout is %s: must be positive, or 0 for %s", o.StartTimeout, defaultStartTimeout)
	}
	if o.APIServers == 0 {
		o.APIServers = defaultAPIServers
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = defaultStartTimeout
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	o.Progress = &lines{to: o.Progress}
	if len(o.APIServerMinors) > o.APIServers {
		return nil, fmt.Errorf("lab: start: APIServerMinors names %d, %q, for %d API servers: must be at most one each", len(o.APIServerMinors), o.APIServerMinors, o.APIServers)
	}
	if !inside() {
		return nil, fmt.Errorf("lab: start: %w", ErrOutside)
	}
	if o.Binaries.KubeAPIServer == "" && o.Binaries.Etcd == "" && len(o.Binaries.Minors) == 0 {
		o.Binaries = prepared()
	}
	if err := o.Binaries.check(); err != nil {
		return nil, fmt.Errorf("lab: start: %w", err)
	}
	for i, minor := range o.APIServerMinors {
		if _, err := o.Binaries.apiServer(minor); err != nil {
			return nil, fmt.Errorf("lab: start: APIServerMinors[%d]: %w", i, err)
		}
	}
	if !open.CompareAndSwap(false, true) {
		return nil, errors.New("lab: start: another lab is open in this process; close it first")
	}
	l := &Lab{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.dir, err = newFolder(o.Dir, o.Keep); err != nil {
		return nil, fmt.Errorf("lab: start: %w", err)
	}
	if l.authority, err = newAuthority(); err != nil {
		return nil, fmt.Errorf("lab: start: %w", err)
	}
	if l.router, err = newRouter(); err != nil {
		return nil, fmt.Errorf("lab: start: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.StartTimeout,
		fmt.Errorf("StartTimeout of %s is over", o.StartTimeout))
	defer cancel()
	if err := l.startControlPlane(ctx); err != nil {
		return nil, err
	}
	if err := l.SetBackends(l.all()...); err != nil {
		return nil, err
	}
	return l, nil
}

// Dir is the folder that holds logs, data, keys and kubeconfigs.
func (l *Lab) Dir() string { return l.dir.path }

// APIServers are the API servers, by index.
func (l *Lab) APIServers() []*APIServer { return slices.Clone(l.servers) }

// Etcd is the one store behind all API servers.
func (l *Lab) Etcd() *Server { return l.etcd }

// SetBackends is [Host.SetBackends] on every contender's host, those that are
// made later included.
func (l *Lab) SetBackends(servers ...int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkBackends(servers); err != nil {
		return err
	}
	l.backends = slices.Clone(servers)
	var errs []error
	for _, h := range l.hosts {
		errs = append(errs, h.setBackends(servers))
	}
	return errors.Join(errs...)
}

func (l *Lab) checkBackends(servers []int) error {
	for i, s := range servers {
		if s < 0 || s >= len(l.servers) {
			return fmt.Errorf("lab: there is no API server %d: there are %d, from 0", s, len(l.servers))
		}
		if slices.Contains(servers[:i], s) {
			return fmt.Errorf("lab: backends %v name API server %d twice", servers, s)
		}
	}
	return nil
}

// all is every API server's index.
func (l *Lab) all() []int {
	all := make([]int, len(l.servers))
	for i := range all {
		all[i] = i
	}
	return all
}

// Mend undoes every harm that [Host.Cut], [Server.Freeze], [Server.Kill] and
// SetBackends have done: all hosts are connected, the control plane runs, is
// ready, and is all that the virtual IP names. It waits for that until ctx ends.
func (l *Lab) Mend(ctx context.Context) error {
	l.mu.Lock()
	hosts := slices.Clone(l.hosts)
	l.mu.Unlock()
	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.Mend())
	}
	if err := l.etcd.revive(ctx); err != nil {
		return errors.Join(append(errs, err)...)
	}
	errs = append(errs, inParallel(l.servers, func(a *APIServer) error { return a.revive(ctx) }))
	return errors.Join(append(errs, l.SetBackends(l.all()...))...)
}

// Close ends everything: the processes, the hosts, and the folder unless it
// was named or is to be kept. Closing a closed lab does nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	hosts := slices.Clone(l.hosts)
	l.mu.Unlock()
	defer open.Store(false)

	errs := []error{inParallel(hosts, (*Host).Close)}
	if l.router != nil {
		errs = append(errs, l.router.close())
	}
	if l.dir != nil {
		errs = append(errs, l.dir.close())
	}
	return errors.Join(errs...)
}

// inParallel calls f for each and joins the errors.
func inParallel[T any](each []T, f func(T) error) error {
	errs := make([]error, len(each))
	var wg sync.WaitGroup
	for i, t := range each {
		wg.Go(func() { errs[i] = f(t) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// lines lets several goroutines write lines to one writer.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}
