package resourcelock

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"os"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"weak"

	restclient "k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/dialer"
)

// sharing finds the Factory of an earlier lock that was made from an equal
// configuration, as client-go finds the TLS transport of an equal one.
//
// Configurations are equal if their contents are, at the moment of the call:
// each entry keeps a copy, so that a configuration which its owner changes later
// is another from then on. A configuration is never shared if it holds what
// cannot be compared or may change behind the copy: functions (Dial,
// WrapTransport, Proxy), a Transport, or an AuthProvider. For those, share
// explicitly, by a Factory.
//
// Files that a configuration names (CA, certificate, key, token) belong to its
// content: a client keeps what it has read of them, so once one was written anew,
// a lock made then is not to get the transport of an earlier one. Nothing else
// changes behind an equal configuration: client-go shares the credentials of equal
// exec plugins among all clients and asks for new ones itself, and a process reads
// the proxies of its environment once.
//
// What a hardened client does not take from the configuration (rate limits, a
// Timeout beyond its bounds, NextProtos, the group and its codec) does not tell them
// apart.
//
// Factories are held weakly: an entry goes with the last lock.
type sharing struct {
	mu      sync.Mutex
	entries []sharedFactory
}

type sharedFactory struct {
	config  *restclient.Config
	files   fileSums
	budget  dialer.Budget
	meter   *dialer.Meter
	factory weak.Pointer[Factory]
}

var shared sharing

// factoryFor returns the factory of configurations equal to config, or one for
// this call alone.
func (s *sharing) factoryFor(config *restclient.Config, budget dialer.Budget, meter *dialer.Meter) (*Factory, error) {
	if !shareable(config) {
		return newFactory(config, budget, meter, nil)
	}
	files, err := sumsOf(config)
	if err != nil { // a client cannot be made of it, or one that says more
		return newFactory(config, budget, meter, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	content := contentOf(config)
	if config.Timeout < max(budget.Answer, budget.Open)+budget.Upload {
		content.Timeout = config.Timeout // it is a bound of the lock's calls
	}
	for _, entry := range s.entries {
		if entry.files != files || entry.budget != budget || entry.meter != meter || !equalContent(entry.config, content) {
			continue
		}
		if f := entry.factory.Value(); f != nil {
			return f, nil
		}
	}
	f, err := newFactory(config, budget, meter, nil)
	if err != nil {
		return nil, err
	}
	pointer := weak.Make(f)
	s.entries = append(s.entries, sharedFactory{config: content, files: files, budget: budget, meter: meter, factory: pointer})
	runtime.AddCleanup(f, s.forget, pointer)
	return f, nil
}

// forget removes the entry of a factory that is gone.
func (s *sharing) forget(gone weak.Pointer[Factory]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = slices.DeleteFunc(s.entries, func(e sharedFactory) bool { return e.factory == gone })
}

// fileSums are the contents of the files that a configuration names, in the order
// of sumsOf, as checksums: keys and tokens are not kept in memory once more.
type fileSums [4][sha256.Size]byte

func sumsOf(config *restclient.Config) (fileSums, error) {
	var sums fileSums
	for i, name := range []string{config.CAFile, config.CertFile, config.KeyFile, config.BearerTokenFile} {
		if name == "" {
			continue
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return fileSums{}, err
		}
		sums[i] = sha256.Sum256(content)
	}
	return sums, nil
}

// shareable reports whether the content of config says all there is to know.
func shareable(config *restclient.Config) bool {
	return config.Dial == nil && config.WrapTransport == nil && config.Proxy == nil &&
		config.Transport == nil && config.AuthProvider == nil && config.AuthConfigPersister == nil &&
		comparableValue(config.WarningHandler) && comparableValue(config.WarningHandlerWithContext)
}

func comparableValue(v any) bool { return v == nil || reflect.ValueOf(v).Comparable() }

// contentOf returns a copy of what matters in config, which nobody else holds a
// part of.
func contentOf(config *restclient.Config) *restclient.Config {
	c := *config
	c.QPS, c.Burst, c.RateLimiter, c.Timeout = 0, 0, nil, 0
	c.APIPath, c.GroupVersion, c.NegotiatedSerializer, c.NextProtos = "", nil, nil, nil
	c.CertData, c.KeyData, c.CAData = bytes.Clone(c.CertData), bytes.Clone(c.KeyData), bytes.Clone(c.CAData)
	c.Impersonate.Groups = slices.Clone(c.Impersonate.Groups)
	c.Impersonate.Extra = maps.Clone(c.Impersonate.Extra)
	for key, values := range c.Impersonate.Extra {
		c.Impersonate.Extra[key] = slices.Clone(values)
	}
	c.ExecProvider = c.ExecProvider.DeepCopy()
	return &c
}

// equalContent compares two results of contentOf.
func equalContent(a, b *restclient.Config) bool {
	if a.WarningHandler != b.WarningHandler || a.WarningHandlerWithContext != b.WarningHandlerWithContext {
		return false
	}
	x, y := *a, *b
	x.WarningHandler, x.WarningHandlerWithContext = nil, nil
	y.WarningHandler, y.WarningHandlerWithContext = nil, nil
	return reflect.DeepEqual(x, y)
}
