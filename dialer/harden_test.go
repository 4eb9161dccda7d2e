package dialer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// newConfig returns the config of a client that trusts the server.
func newConfig(server *httptest.Server) *rest.Config {
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: certificate}}
}

// clientFor makes the client that client-go makes from the config.
func clientFor(t *testing.T, config *rest.Config) *http.Client {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(client.Transport) })
	return client
}

func TestHardenedClientIsFoundThroughClientGosWrappers(t *testing.T) {
	server, _ := newServer(t, true, hello)
	config := newConfig(server)
	config.UserAgent = "test"
	config.BearerToken = "token"
	config.Impersonate.UserName = "someone"
	hardened, err := Harden(config, Budget{Answer: 5 * time.Second})
	require.NoError(t, err)
	client := clientFor(t, hardened)
	budget, ok := Hardened(client.Transport)
	require.True(t, ok)
	assert.Equal(t, Budget{Answer: 5 * time.Second}.WithDefaults(), budget)
	base := sockets(client.Transport)
	require.NotNil(t, base, "client-go's transport can be reached")
	assert.Equal(t, budget.Answer, base.TLSHandshakeTimeout)

	_, ok = Hardened(clientFor(t, config).Transport)
	assert.False(t, ok)
}

func TestHardenedClientHasAConnectionOfItsOwnOverHTTP1(t *testing.T) {
	server, opened := newServer(t, true, hello)
	config := newConfig(server)
	assert.Equal(t, "hello over HTTP/2.0", get(t, clientFor(t, config), server.URL))
	hardened, err := Harden(config, Budget{Answer: 5 * time.Second})
	require.NoError(t, err)
	first, second := clientFor(t, hardened), clientFor(t, hardened)
	assert.Equal(t, "hello over HTTP/1.1", get(t, first, server.URL))
	assert.Equal(t, "hello over HTTP/1.1", get(t, second, server.URL))
	assert.EqualValues(t, 3, opened.Load())
}

// behindRelay returns a relay in front of a server, and the configuration of a client
// that knows only that.
func behindRelay(t *testing.T, server *httptest.Server) (*relay, *rest.Config) {
	t.Helper()
	relay := newRelay(t, server.Listener.Addr().String())
	config := newConfig(server)
	config.Host = "https://" + relay.address()
	return relay, config
}

// answersThroughAFreeze claims that a hardened client whose connection falls silent is
// answered on a second one.
func answersThroughAFreeze(t *testing.T, config *rest.Config, budget Budget, relay *relay, opened *atomic.Int32) {
	t.Helper()
	hardened, err := Harden(config, budget)
	require.NoError(t, err)
	client := clientFor(t, hardened)
	get(t, client, config.Host)
	before := opened.Load()
	relay.freeze()
	get(t, client, config.Host)
	assert.Greater(t, opened.Load(), before, "by another connection")
}

func TestHardenedClientAnswersThroughAHedge(t *testing.T) {
	for _, mode := range []Mode{KeepConnections, NewConnections} {
		t.Run(mode.String(), func(t *testing.T) {
			server, opened := newServer(t, true, hello)
			relay, config := behindRelay(t, server)
			answersThroughAFreeze(t, config, Budget{Mode: mode, Answer: 5 * time.Second, Hedge: 100 * ms}, relay, opened)
		})
	}
}

func TestWhatTheUserConfiguredGoesOnWorking(t *testing.T) {
	headers := make(chan http.Header, 1)
	server, _ := newServer(t, true, func(w http.ResponseWriter, request *http.Request) {
		headers <- request.Header.Clone()
		hello(w, request)
	})
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("from-a-file"), 0o600))
	var dials, wraps atomic.Int32
	config := newConfig(server)
	config.BearerTokenFile = token
	config.UserAgent = "holdfast-test"
	config.Impersonate = rest.ImpersonationConfig{UserName: "someone", Groups: []string{"some"}}
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	config.WrapTransport = func(rt http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(request *http.Request) (*http.Response, error) { // hides what is below
			wraps.Add(1)
			return rt.RoundTrip(request)
		})
	}
	hardened, err := Harden(config, Budget{Answer: 5 * time.Second})
	require.NoError(t, err)
	client := clientFor(t, hardened)
	get(t, client, server.URL)
	got := <-headers
	assert.Equal(t, "Bearer from-a-file", got.Get("Authorization"))
	assert.Equal(t, "holdfast-test", got.Get("User-Agent"))
	assert.Equal(t, "someone", got.Get("Impersonate-User"))
	assert.Equal(t, "some", got.Get("Impersonate-Group"))
	assert.EqualValues(t, 1, dials.Load())
	assert.EqualValues(t, 1, wraps.Load())
}

func TestClientCertificateIsPresented(t *testing.T) {
	server, _ := newServer(t, true, func(w http.ResponseWriter, request *http.Request) {
		assert.Len(t, request.TLS.PeerCertificates, 1)
		hello(w, request)
	}, func(server *httptest.Server) {
		server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	})
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	config := newConfig(server)
	config.CertData = config.CAData
	config.KeyData = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	hardened, err := Harden(config, Budget{Answer: 5 * time.Second})
	require.NoError(t, err)
	assert.Equal(t, "hello over HTTP/1.1", get(t, clientFor(t, hardened), server.URL))
}

func TestDialsEndWithTheirAttemptsAndCostNoToken(t *testing.T) {
	var underway atomic.Int32
	config := &rest.Config{Host: "https://192.0.2.1", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		underway.Add(1)
		defer underway.Add(-1)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	hardened, err := Harden(config, Budget{Answer: time.Minute, Hedge: 20 * ms, Connect: 30 * time.Second})
	require.NoError(t, err)
	client := clientFor(t, hardened)
	ctx, cancel := context.WithTimeout(t.Context(), 200*ms)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host, nil)
	require.NoError(t, err)
	_, err = client.Do(request)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Eventually(t, func() bool { return underway.Load() == 0 }, 5*time.Second, ms, "no dial waits out its 30s")
	for link := range chain(client.Transport) {
		if rt, ok := link.(*Transport); ok {
			assert.Equal(t, int(bucketSize), drain(&rt.tokens), "a hedge without a connection is no load on a server")
		}
	}
}

func TestIdleConnectionsAreClosedBehindAWrapperThatHidesThem(t *testing.T) {
	server, opened := newServer(t, true, hello)
	relay, config := behindRelay(t, server)
	config.WrapTransport = func(rt http.RoundTripper) http.RoundTripper { return roundTripFunc(rt.RoundTrip) }
	answersThroughAFreeze(t, config, Budget{Answer: 5 * time.Second, Hedge: 100 * ms}, relay, opened)
}

func TestCallersConfigIsNotChanged(t *testing.T) {
	theirs := &http.Transport{MaxConnsPerHost: 100}
	config := &rest.Config{
		Host: "https://192.0.2.1", Timeout: time.Minute, QPS: 3, Burst: 4, Transport: theirs,
		RateLimiter:     flowcontrol.NewFakeAlwaysRateLimiter(),
		TLSClientConfig: rest.TLSClientConfig{NextProtos: []string{"h2"}},
	}
	before := *config
	hardened, err := Harden(config, Budget{Answer: time.Second})
	require.NoError(t, err)
	traffic, err := HardenTraffic(config, time.Second)
	require.NoError(t, err)
	assert.Equal(t, before, *config)
	assert.Equal(t, []string{"h2"}, config.NextProtos)
	assert.Equal(t, 100, theirs.MaxConnsPerHost)
	assert.Nil(t, theirs.DialContext)

	assert.Zero(t, hardened.Timeout)
	assert.EqualValues(t, -1, hardened.QPS)
	assert.Nil(t, hardened.RateLimiter)
	assert.Equal(t, config.Timeout, traffic.Timeout)
	assert.Equal(t, config.QPS, traffic.QPS)
	assert.Equal(t, config.RateLimiter, traffic.RateLimiter)
}

func TestTransportOfTheUsersIsClonedAndHardened(t *testing.T) {
	server, opened := newServer(t, true, hello)
	relay := newRelay(t, server.Listener.Addr().String())
	theirs := server.Client().Transport.(*http.Transport).Clone()
	var dials atomic.Int32
	theirs.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	config := &rest.Config{Host: "https://" + relay.address(), Transport: theirs}
	hardened, err := Harden(config, Budget{Answer: 5 * time.Second, Hedge: 100 * ms})
	require.NoError(t, err)
	client := clientFor(t, hardened)
	assert.Equal(t, "hello over HTTP/1.1", get(t, client, config.Host))
	relay.freeze()
	get(t, client, config.Host)
	assert.EqualValues(t, 2, opened.Load())
	assert.EqualValues(t, 2, dials.Load())
}

func TestOpaqueTransportIsRefused(t *testing.T) {
	opaque := &rest.Config{Transport: roundTripFunc(nil)}
	_, err := Harden(opaque, Budget{Answer: time.Second})
	require.ErrorIs(t, err, ErrOpaqueTransport)
	require.ErrorContains(t, err, "dialer.roundTripFunc")
	_, err = HardenTraffic(opaque, time.Second)
	require.ErrorIs(t, err, ErrOpaqueTransport)
	_, err = Harden(&rest.Config{Transport: (*http.Transport)(nil)}, Budget{Answer: time.Second})
	require.ErrorIs(t, err, ErrOpaqueTransport)
	own := &http.Transport{DialTLSContext: new(Dialer).DialContext}
	_, err = Harden(&rest.Config{Transport: own}, Budget{Answer: time.Second})
	require.ErrorIs(t, err, ErrOpaqueTransport)
}

func TestHardenRefusesBadInput(t *testing.T) {
	_, err := Harden(nil, Budget{Answer: time.Second})
	require.ErrorContains(t, err, "config is nil")
	_, err = Harden(&rest.Config{}, Budget{Answer: -time.Second})
	require.ErrorContains(t, err, "Budget.Answer is -1s")
	_, err = HardenTraffic(nil, time.Second)
	require.ErrorContains(t, err, "config is nil")
	_, err = HardenTraffic(&rest.Config{}, 0)
	require.ErrorContains(t, err, "within is 0s, it must be positive")
}

func TestClientsetOverAHardenedConfigSurvivesADeadConnection(t *testing.T) {
	server, _ := newServer(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"lock"}}`))
	})
	relay, config := behindRelay(t, server)
	hardened, err := Harden(config, Budget{Answer: 5 * time.Second, Hedge: 100 * ms})
	require.NoError(t, err)
	client := clientFor(t, hardened)
	clientset, err := kubernetes.NewForConfigAndClient(hardened, client)
	require.NoError(t, err)
	leases := clientset.CoordinationV1().Leases("default")
	lease, err := leases.Get(t.Context(), "lock", metav1.GetOptions{})
	require.NoError(t, err)
	relay.freeze()
	_, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
	require.NoError(t, err, "a write has a body that client-go can replay")
}
