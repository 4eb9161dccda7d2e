package leaseapi

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// serve starts a Store with endpoints of these names; they end with the test.
func serve(t *testing.T, options Options, names ...string) (*Store, []*Endpoint) {
	t.Helper()
	store := NewStore(options)
	var endpoints []*Endpoint
	for _, name := range names {
		endpoint, err := store.Serve(name)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, endpoint.Close()) })
		endpoints = append(endpoints, endpoint)
	}
	return store, endpoints
}

// newHost opens a host of a relay; it ends with the test.
func newHost(t *testing.T, relay *Relay, name string) *Host {
	t.Helper()
	host, err := relay.Host(name)
	require.NoError(t, err)
	t.Cleanup(host.Close)
	return host
}

// clientFor returns a clientset with no rate limit and a transport of its own,
// which takes a dialer of its own: client-go gives equal configurations the same
// transport.
func clientFor(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	config.QPS = -1
	config.Dial = (&net.Dialer{}).DialContext
	httpClient, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	t.Cleanup(httpClient.CloseIdleConnections)
	clientset, err := kubernetes.NewForConfigAndClient(config, httpClient)
	require.NoError(t, err)
	return clientset
}
