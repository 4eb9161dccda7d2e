package lab

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// modeVariable makes the test binary play another part: see modes.
const modeVariable = "HOLDFAST_LAB_TEST_MODE"

func TestMain(m *testing.M) {
	if play, ok := modes[os.Getenv(modeVariable)]; ok {
		play()
		os.Exit(0)
	}
	Enter()
	code := m.Run()
	if shared.lab != nil {
		if err := shared.lab.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// shared is the one lab of the package's tests, started by the first that
// needs it.
var shared struct {
	once sync.Once
	lab  *Lab
	err  error
}

// sharedLab returns the lab, and mends it when the test ends.
func sharedLab(t *testing.T) *Lab {
	t.Helper()
	shared.once.Do(func() {
		begin := time.Now()
		shared.lab, shared.err = Start(context.Background(), Options{Progress: os.Stderr})
		t.Logf("figure: 3 API servers and etcd started in %s", time.Since(begin).Round(time.Millisecond))
	})
	require.NoError(t, shared.err)
	t.Cleanup(func() {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, shared.lab.Mend(ctx))
		t.Logf("mended in %s", time.Since(begin).Round(time.Millisecond))
	})
	return shared.lab
}

// newHost adds a contender host that the test's end removes.
func newHost(t *testing.T, l *Lab, name string) *Host {
	t.Helper()
	h, err := l.NewHost(name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

// A client speaks HTTP/1.1 from a host and knows which API server answers.
type client struct {
	http *http.Client
	base string
}

// from is a client of user root's that dials from the host. It keeps its
// connection between requests.
func from(t *testing.T, l *Lab, h *Host) *client {
	t.Helper()
	path, err := l.Kubeconfig("root", Masters)
	require.NoError(t, err)
	config, err := clientcmd.BuildConfigFromFlags("", path)
	require.NoError(t, err)
	tls, err := rest.TLSConfigFor(config)
	require.NoError(t, err)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: tls, DialContext: h.Dial}}
	t.Cleanup(c.CloseIdleConnections)
	return &client{http: c, base: config.Host}
}

// ask makes a request, bounded by within, and returns the index of the API
// server that answered, by the name in its certificate.
func (c *client) ask(ctx context.Context, within time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/version", nil)
	if err != nil {
		return 0, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %s", answer.Status)
	}
	var buf [4096]byte
	for err = nil; err == nil; {
		_, err = answer.Body.Read(buf[:])
	}
	var server int
	_, err = fmt.Sscanf(answer.TLS.PeerCertificates[0].Subject.CommonName, "api-%d", &server)
	return server, err
}
