package resourcelock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// api serves a Lease API and returns the way to it.
func api(t *testing.T) *rest.Config {
	t.Helper()
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("a")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, endpoint.Close()) })
	return endpoint.Config()
}

// client is a clientset for looking at what the lock did.
func client(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	http, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	t.Cleanup(http.CloseIdleConnections)
	clientset, err := kubernetes.NewForConfigAndClient(config, http)
	require.NoError(t, err)
	return clientset
}

// lock returns a hardened lock on default/it.
func lock(t *testing.T, config *rest.Config, identity string, options Options) *LeaseLock {
	t.Helper()
	if options.RenewDeadline == 0 {
		options.RenewDeadline = 2 * time.Second
	}
	made, err := NewFromKubeconfigWithOptions(LeasesResourceLock, "default", "it", ResourceLockConfig{Identity: identity}, config, options)
	require.NoError(t, err)
	l := made.(*LeaseLock)
	t.Cleanup(func() { closeIdle(l) })
	return l
}

func closeIdle(l *LeaseLock) {
	if t, ok := transportOf(l.Client).(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	if rc, ok := l.Client.(interface{ RESTClient() rest.Interface }); ok {
		rc.RESTClient().(*rest.RESTClient).Client.CloseIdleConnections()
	}
}
