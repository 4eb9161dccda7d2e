package dialer

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/features"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// client-go looks at certificate files every five minutes. The variable is
// there for tests; it is read by goroutines, so it is set before there are any.
func init() { transport.CertCallbackRefreshDuration = 20 * ms }

// pipes is a network inside a bubble of virtual time: the server's listener and
// the dial of its clients. Everything above it is real: TLS, HTTP, client-go.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
	frozen  atomic.Bool // what the connections there are send is lost
}

// freezing is an end of a connection whose peer hears nothing once it freezes.
type freezing struct {
	net.Conn
	frozen *atomic.Bool
}

func (f freezing) Write(data []byte) (int, error) {
	if f.frozen.Load() {
		return len(data), nil
	}
	return f.Conn.Write(data)
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.dialled <- freezing{far, &p.frozen}:
		return freezing{near, &p.frozen}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// inVirtualTime runs the test in a bubble with a server over pipes. certificate
// returns what the server shows to a new connection.
func inVirtualTime(t *testing.T, certificate func() *tls.Certificate, handler http.HandlerFunc, test func(t *testing.T, network *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{
			Handler:  handler,
			ErrorLog: log.New(io.Discard, "", 0),
			TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return certificate(), nil
			}},
		}
		go func() { _ = server.ServeTLS(network, "", "") }()
		test(t, network)
		require.NoError(t, server.Close())
	})
}

// overPipes runs the test in virtual time with the configuration of a client whose
// server is at the other end of pipes.
func overPipes(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, config *rest.Config)) {
	t.Helper()
	authority := newAuthority(t, "servers")
	pair := authority.pair(t, "server")
	inVirtualTime(t, func() *tls.Certificate { return &pair }, handler, func(t *testing.T, network *pipes) {
		config := &rest.Config{Host: "https://" + apiName, Dial: network.dial}
		config.CAData = authority.pem()
		test(t, config)
	})
}

func TestUserTokenFileIsReadAgain(t *testing.T) {
	directory := t.TempDir()
	forBoth(t, func(t *testing.T, harden hardenFunc) {
		token := filepath.Join(directory, "token")
		write(t, token, []byte("first"))
		handler := func(w http.ResponseWriter, request *http.Request) {
			_, _ = io.WriteString(w, request.Header.Get("Authorization"))
		}
		overPipes(t, handler, func(t *testing.T, config *rest.Config) {
			config.BearerTokenFile = token
			client := hardenedClient(t, harden, config)
			assert.Equal(t, "Bearer first", get(t, client, config.Host))
			write(t, token, []byte("second"))
			assert.Equal(t, "Bearer first", get(t, client, config.Host), "client-go keeps it for a minute, less ten seconds")
			time.Sleep(time.Minute)
			assert.Equal(t, "Bearer second", get(t, client, config.Host))
			client.CloseIdleConnections()
		})
	})
}

// clientGoHas reports whether this client-go knows the feature, and has it on.
// One that it does not know makes it panic.
func clientGoHas(feature features.Feature) (has bool) {
	defer func() { has = recover() == nil && has }()
	return features.FeatureGates().Enabled(feature)
}

// What client-go has since v0.36, and versions before have not.
const (
	readsCAFilesAgain features.Feature = "ClientsAllowCARotation"
)

// renewAuthority runs the test in virtual time with a client whose server has
// gone from one authority to another, and the CA file with it, when the client
// has followed or has had the time for it. The old connection was in use all the
// time and no request failed. It reports whether the client has followed.
func renewAuthority(t *testing.T, harden hardenFunc, test func(t *testing.T, client *http.Client, network *pipes)) (followed bool) {
	t.Helper()
	old, young := newAuthority(t, "old"), newAuthority(t, "young")
	pairs := map[*authority]tls.Certificate{old: old.pair(t, "server"), young: young.pair(t, "server")}
	ca := filepath.Join(t.TempDir(), "ca")
	write(t, ca, old.pem())
	var current atomic.Pointer[authority]
	current.Store(old)
	certificate := func() *tls.Certificate { pair := pairs[current.Load()]; return &pair }
	inVirtualTime(t, certificate, helloOrWatch, func(t *testing.T, network *pipes) {
		config := &rest.Config{Host: "https://" + apiName, Dial: network.dial}
		config.CAFile = ca
		client := hardenedClient(t, harden, config)
		issuer := func() string {
			response, err := client.Get(config.Host)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			return response.TLS.PeerCertificates[0].Issuer.CommonName
		}
		require.Equal(t, "old", issuer())
		current.Store(young)
		write(t, ca, young.pem())
		// Where client-go looks at the file, it does so every five minutes.
		for start := time.Now(); !followed && time.Since(start) < 10*time.Minute; followed = issuer() == "young" {
			time.Sleep(20 * time.Second) // keeps the old connection in use
		}
		test(t, client, network)
		client.CloseIdleConnections()
	})
	return followed
}

func helloOrWatch(w http.ResponseWriter, request *http.Request) {
	hello(w, request)
	if request.URL.Path == "/watch" {
		_ = http.NewResponseController(w).Flush()
		<-request.Context().Done()
	}
}

// A hardened client follows where client-go alone does, and no version of
// client-go is taken for one that cannot though it can.
func TestUserCAFileIsReadAgainWhereClientGoReadsIt(t *testing.T) {
	can := clientGoHas(readsCAFilesAgain)
	t.Logf("this client-go reads CA files again: %t", can)
	for name, harden := range map[string]hardenFunc{
		"lock": hardeners["lock"], "traffic": hardeners["traffic"],
		"client-go alone": func(c *rest.Config) (*rest.Config, error) { return c, nil },
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, can, renewAuthority(t, harden, func(*testing.T, *http.Client, *pipes) {}))
		})
	}
}

// Where client-go follows a CA file it clones the transport for it. What makes
// a dead connection known must have been cloned with it.
func TestFrozenPeerIsNoticedAfterTheCAFileHasChanged(t *testing.T) {
	const within = 6 * time.Second
	followed := renewAuthority(t, func(c *rest.Config) (*rest.Config, error) { return HardenTraffic(c, within) },
		func(t *testing.T, client *http.Client, network *pipes) {
			watch, err := client.Get("https://" + apiName + "/watch")
			require.NoError(t, err)
			defer func() { _ = watch.Body.Close() }()
			require.Equal(t, 2, watch.ProtoMajor)
			_, err = watch.Body.Read(make([]byte, 64))
			require.NoError(t, err)
			network.frozen.Store(true)
			start := time.Now()
			_, err = watch.Body.Read(make([]byte, 64))
			require.Error(t, err)
			assert.LessOrEqual(t, time.Since(start), within)
			network.frozen.Store(false)
		})
	assert.Equal(t, clientGoHas(readsCAFilesAgain), followed)
}

func TestUserClientCertificateFilesAreReadAgain(t *testing.T) {
	authority := newAuthority(t, "users")
	server, _ := newServer(t, true, func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.WriteString(w, request.TLS.PeerCertificates[0].Subject.CommonName)
	}, func(server *httptest.Server) {
		server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.pool(), MinVersion: tls.VersionTLS12}
	})
	// What client-go watches the files with ends when the client is collected, where
	// it is left to client-go at all, so nothing may hold on to it: neither a cleanup
	// of the test nor anything of ours.
	t.Run("clients", func(t *testing.T) { renewCertificates(t, authority, server) })
	watched := func() bool {
		runtime.GC()
		stacks := make([]byte, 1<<20)
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "dynamicClientCert")
	}
	assert.Eventually(t, func() bool { return !watched() }, 10*time.Second, 10*ms, "a client that is no longer used leaves nothing behind")
}

func renewCertificates(t *testing.T, authority *authority, server *httptest.Server) {
	config := newConfig(server)
	directory := t.TempDir()
	config.CertFile, config.KeyFile = filepath.Join(directory, "cert"), filepath.Join(directory, "key")
	become := func(name string) {
		certificate, key := authority.issue(t, name)
		write(t, config.KeyFile, key)
		write(t, config.CertFile, certificate)
	}
	become("first")
	clients := map[string]*http.Client{}
	for name, harden := range hardeners {
		hardened, err := harden(config)
		require.NoError(t, err)
		clients[name], err = rest.HTTPClientFor(hardened)
		require.NoError(t, err)
		defer clients[name].CloseIdleConnections()
		require.Equal(t, "first", get(t, clients[name], server.URL), name)
	}
	become("second")
	for name, client := range clients {
		assert.Eventually(t, func() bool {
			response, err := client.Get(server.URL)
			if name == "lock" {
				assert.NoError(t, err, "a connection that is closed for the rotation costs no request")
			}
			if err != nil {
				return false
			}
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			return err == nil && string(body) == "second"
		}, 20*time.Second, 10*ms, name)
	}
}
