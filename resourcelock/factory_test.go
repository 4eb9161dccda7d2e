package resourcelock

import (
	"context"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/holdfast-go/holdfast/dialer"
)

func madeFrom(t *testing.T, config *rest.Config, options Options) *LeaseLock {
	t.Helper()
	if options.RenewDeadline == 0 {
		options.RenewDeadline = 10 * time.Second
	}
	l, err := NewFromKubeconfigWithOptions(LeasesResourceLock, "default", "it", ResourceLockConfig{Identity: "me"}, config, options)
	require.NoError(t, err)
	return l.(*LeaseLock)
}

func TestLocksOfEqualConfigurationsShareTheirTransport(t *testing.T) {
	full := func() *rest.Config {
		return &rest.Config{
			Host: "https://198.18.0.1", BearerToken: "a", BearerTokenFile: "/token",
			Impersonate:     rest.ImpersonationConfig{UserName: "x", Groups: []string{"g"}, Extra: map[string][]string{"k": {"v"}}},
			TLSClientConfig: rest.TLSClientConfig{Insecure: true, ServerName: "n"},
			WarningHandler:  rest.NoWarnings{},
		}
	}
	first := madeFrom(t, full(), Options{Labels: map[string]string{"a": "1"}})
	for name, c := range map[string]struct {
		change  func(*rest.Config)
		options Options
		same    bool
	}{
		"nothing":       {func(*rest.Config) {}, Options{}, true},
		"labels":        {func(*rest.Config) {}, Options{Labels: map[string]string{"b": "2"}}, true},
		"rate limits":   {func(c *rest.Config) { c.QPS, c.Burst, c.Timeout = 1, 2, time.Second }, Options{}, true},
		"deadline":      {func(*rest.Config) {}, Options{RenewDeadline: 9 * time.Second}, false},
		"meter":         {func(*rest.Config) {}, Options{Meter: new(dialer.Meter)}, false},
		"host":          {func(c *rest.Config) { c.Host = "https://198.18.0.2" }, Options{}, false},
		"token":         {func(c *rest.Config) { c.BearerToken = "b" }, Options{}, false},
		"impersonation": {func(c *rest.Config) { c.Impersonate.Extra["k"] = []string{"w"} }, Options{}, false},
		"warnings":      {func(c *rest.Config) { c.WarningHandler = nil }, Options{}, false},
		"exec": {func(c *rest.Config) {
			c.ExecProvider = &clientcmdapi.ExecConfig{Command: "x", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode}
			c.BearerToken, c.BearerTokenFile = "", ""
		}, Options{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			config := full()
			c.change(config)
			other := madeFrom(t, config, c.options)
			assert.Equal(t, c.same, first.factory == other.factory)
			assert.Equal(t, c.options.Labels, other.Labels)
			assert.Same(t, other.factory, madeFrom(t, config, c.options).factory, "equal to itself")
		})
	}
	runtime.KeepAlive(first)
}

func TestWhatCannotBeComparedIsNotShared(t *testing.T) {
	for name, change := range map[string]func(*rest.Config){
		"Dial":          func(c *rest.Config) { c.Dial = (&net.Dialer{}).DialContext },
		"Proxy":         func(c *rest.Config) { c.Proxy = http.ProxyFromEnvironment },
		"WrapTransport": func(c *rest.Config) { c.WrapTransport = func(rt http.RoundTripper) http.RoundTripper { return rt } },
		"Transport":     func(c *rest.Config) { c.Transport = &http.Transport{} },
	} {
		t.Run(name, func(t *testing.T) {
			config := &rest.Config{Host: "https://198.18.0.1"}
			change(config)
			assert.NotSame(t, madeFrom(t, config, Options{}).factory, madeFrom(t, config, Options{}).factory)
		})
	}
}

func TestAConfigurationChangedLaterIsAnother(t *testing.T) {
	config := &rest.Config{Host: "https://198.18.0.1", TLSClientConfig: rest.TLSClientConfig{Insecure: true}, Impersonate: rest.ImpersonationConfig{UserName: "u", Groups: []string{"a"}}}
	before := madeFrom(t, config, Options{})
	config.Impersonate.Groups[0] = "b" // behind the copy
	assert.NotSame(t, before.factory, madeFrom(t, config, Options{}).factory)
}

func TestWhatIsSharedGoesWithTheLastLock(t *testing.T) {
	config := &rest.Config{Host: "https://198.18.0.77"}
	entries := func() (n int) {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		for _, e := range shared.entries {
			if e.config.Host == config.Host {
				n++
			}
		}
		return n
	}
	l := madeFrom(t, config, Options{})
	runtime.GC()
	assert.Equal(t, 1, entries())
	runtime.KeepAlive(l)
	require.Eventually(t, func() bool { runtime.GC(); return entries() == 0 }, 10*time.Second, 10*time.Millisecond)
}

func TestAFactoryMakesLocksOnOneTransport(t *testing.T) {
	config := api(t)
	config.Dial = (&net.Dialer{}).DialContext // cannot be shared but by a factory
	f, err := NewFactory(config, Options{RenewDeadline: 2 * time.Second, Labels: map[string]string{"a": "1"}})
	require.NoError(t, err)
	one, err := f.Lock(LeasesResourceLock, "default", "one", ResourceLockConfig{Identity: "me"})
	require.NoError(t, err)
	two, err := f.Lock(LeasesResourceLock, "other", "two", ResourceLockConfig{Identity: "me"})
	require.NoError(t, err)
	assert.Same(t, transportOf(one.(*LeaseLock).Client), transportOf(two.(*LeaseLock).Client))
	bound, hardened := one.(Bounded).Bound()
	assert.True(t, hardened)
	assert.Equal(t, 2*time.Second, bound)
	for _, l := range []Interface{one, two} {
		require.NoError(t, l.Create(t.Context(), recordOf("me", time.Second)))
		assert.Equal(t, map[string]string{"a": "1"}, l.(*LeaseLock).Labels)
	}
	_, err = f.Lock("configmaps", "default", "it", ResourceLockConfig{})
	assert.ErrorIs(t, err, ErrLockType)
	_, err = NewFactory(nil, Options{RenewDeadline: time.Second})
	assert.ErrorContains(t, err, "kubeconfig is nil")
	_, err = NewFactory(config, Options{})
	assert.ErrorContains(t, err, "RenewDeadline = 0s")
}

func TestTheWaitForATurnIsPartOfTheBound(t *testing.T) {
	next := roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	})
	turns := &turns{next: next, bound: 500 * time.Millisecond, gate: newGate(200 * time.Millisecond)}
	for range mostInside {
		_, _, err := turns.gate.enter(t.Context())
		require.NoError(t, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://198.18.0.1", nil)
	require.NoError(t, err)
	start := time.Now()
	response, err := turns.RoundTrip(request)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Nil(t, response)
	assert.GreaterOrEqual(t, time.Since(start), 490*time.Millisecond)
}
