package resourcelock

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/holdfast-go/holdfast/internal/leaseapi"
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
			Host: "https://198.18.0.1", BearerToken: "a",
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
		"nothing":           {func(*rest.Config) {}, Options{}, true},
		"labels":            {func(*rest.Config) {}, Options{Labels: map[string]string{"b": "2"}}, true},
		"rate limits":       {func(c *rest.Config) { c.QPS, c.Burst, c.Timeout = 1, 2, time.Hour }, Options{}, true},
		"a tighter Timeout": {func(c *rest.Config) { c.Timeout = time.Second }, Options{}, false},
		"deadline":          {func(*rest.Config) {}, Options{RenewDeadline: 9 * time.Second}, false},
		"meter":             {func(*rest.Config) {}, Options{Meter: new(dialer.Meter)}, false},
		"host":              {func(c *rest.Config) { c.Host = "https://198.18.0.2" }, Options{}, false},
		"token":             {func(c *rest.Config) { c.BearerToken = "b" }, Options{}, false},
		"impersonation":     {func(c *rest.Config) { c.Impersonate.Extra["k"] = []string{"w"} }, Options{}, false},
		"warnings":          {func(c *rest.Config) { c.WarningHandler = nil }, Options{}, false},
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

func TestAConfigurationWhoseFilesWereRotatedIsAnother(t *testing.T) {
	ca, cert, key := pairIn(t, "one")
	other, otherCert, otherKey := pairIn(t, "two")
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("a"), 0o600))
	for name, c := range map[string]struct {
		config rest.Config
		rotate func()
	}{
		"CA":    {rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: ca}}, func() { overwrite(t, ca, other) }},
		"token": {rest.Config{BearerTokenFile: token}, func() { require.NoError(t, os.WriteFile(token, []byte("b"), 0o600)) }},
		"certificate": {rest.Config{TLSClientConfig: rest.TLSClientConfig{CertFile: cert, KeyFile: key}}, func() {
			overwrite(t, cert, otherCert)
			overwrite(t, key, otherKey)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sums := func() fileSums {
				sums, err := sumsOf(&c.config)
				require.NoError(t, err)
				return sums
			}
			before := sums()
			assert.Equal(t, before, sums())
			c.rotate()
			assert.NotEqual(t, before, sums())
		})
	}
}

// A CA that was rotated verifies the server's new certificate in locks made since.
func TestALockMadeAfterTheCAFileWasRotatedTrustsTheNewOne(t *testing.T) {
	config := api(t)
	file := filepath.Join(t.TempDir(), "ca.crt")
	stranger := api(t)
	require.NoError(t, os.WriteFile(file, stranger.CAData, 0o600))
	of := &rest.Config{Host: config.Host, TLSClientConfig: rest.TLSClientConfig{CAFile: file}}
	before := madeFrom(t, of, Options{RenewDeadline: time.Second})
	t.Cleanup(func() { closeIdle(before) })
	_, err := before.Read(t.Context())
	require.ErrorContains(t, err, "certificate")
	require.NoError(t, os.WriteFile(file, config.CAData, 0o600))
	after := madeFrom(t, of, Options{RenewDeadline: time.Second})
	t.Cleanup(func() { closeIdle(after) })
	_, err = after.Read(t.Context())
	assert.NoError(t, err)
	assert.Same(t, after.factory, madeFrom(t, of, Options{RenewDeadline: time.Second}).factory)
	runtime.KeepAlive(before)
}

func TestAFactoryKeepsNothingOfLocksThatAreGone(t *testing.T) {
	f, err := NewFactory(&rest.Config{Host: "https://198.18.0.1"}, Options{RenewDeadline: time.Second})
	require.NoError(t, err)
	one := f.lock("default", "one", ResourceLockConfig{}, nil)
	for i := range 100 {
		f.lock("default", "two", ResourceLockConfig{}, nil)
		f.lock("n"+strconv.Itoa(i), "it", ResourceLockConfig{}, nil)
	}
	assert.True(t, f.many("default"))
	require.Eventually(t, func() bool {
		runtime.GC()
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.names) == 1
	}, 10*time.Second, 10*time.Millisecond)
	assert.False(t, f.many("default"), "a single Lease is left, which is watched by name")
	runtime.KeepAlive(one)
}

// What a process that makes a lock again and again has at the end.
func TestLocksThatWereUsedAndDroppedLeaveNothingBehind(t *testing.T) {
	config := api(t)
	use := func(i int) {
		of := *config
		of.UserAgent = "lock-" + strconv.Itoa(i) // no two are equal
		l := madeFrom(t, &of, Options{RenewDeadline: 2 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := l.Read(t.Context())
		require.NoError(t, err)
		_ = l.Watch(ctx, Snapshot{}, func(Snapshot) {})
	}
	left := func() (goroutines, entries int) {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		for _, e := range shared.entries {
			if e.config.Host == config.Host {
				entries++
			}
		}
		return runtime.NumGoroutine(), entries
	}
	use(0)
	before, _ := left()
	for i := range 30 {
		use(i + 1)
	}
	require.Eventually(t, func() bool {
		runtime.GC()
		goroutines, entries := left()
		return entries == 0 && goroutines <= before+5
	}, 20*time.Second, 20*time.Millisecond, "connections are closed and entries forgotten")
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
	endpoint, err := leaseapi.NewStore(leaseapi.Options{
		Admit: func(ctx context.Context, _ leaseapi.Request) error {
			<-ctx.Done()
			return ctx.Err()
		},
	}).Serve("a")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, endpoint.Close()) })
	const bound = 500 * time.Millisecond
	f, err := NewFactory(endpoint.Config(), Options{RenewDeadline: bound})
	require.NoError(t, err)
	turn := chainTurns(t, f)
	turn.limiter.mu.Lock()
	turn.limiter.stay = time.Now().Add(time.Hour) // it does not widen
	turn.limiter.mu.Unlock()
	var all sync.WaitGroup
	for i := range 100 {
		l := f.lock("default", strconv.Itoa(i), ResourceLockConfig{Identity: "me"}, nil)
		all.Go(func() {
			start := time.Now()
			_, err := l.Read(context.Background())
			assert.Error(t, err)
			assert.LessOrEqual(t, time.Since(start), bound+patience)
		})
	}
	all.Wait()
	turn.limiter.mu.Lock()
	defer turn.limiter.mu.Unlock()
	assert.Zero(t, turn.limiter.waiting())
	assert.Zero(t, turn.limiter.inFlight)
}

// pairIn writes a certificate that signs itself and its key to files.
func pairIn(t *testing.T, name string) (ca, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	ca, cert, key = filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for file, block := range map[string]*pem.Block{ca: {Type: "CERTIFICATE", Bytes: der}, cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: bytes}} {
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	}
	return ca, cert, key
}

// overwrite makes a file what another is.
func overwrite(t *testing.T, file, with string) {
	t.Helper()
	content, err := os.ReadFile(with)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, content, 0o600))
}

// chainTurns finds the gate of a factory's client.
func chainTurns(t *testing.T, f *Factory) *limitedTransport {
	t.Helper()
	for link := range chain(transportOf(f.client)) {
		if found, is := link.(*limitedTransport); is {
			return found
		}
	}
	require.FailNow(t, "no gate")
	return nil
}
