package resourcelock_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
)

// serverMarker turns TestServer into a server for a benchmark.
const serverMarker = "HOLDFAST_BENCHMARK_SERVER"

// address is how a server's process says where it is.
type address struct {
	Host string
	CA   []byte
}

// TestServer is the API of a benchmark, in a process of its own, so that what
// the server allocates is not counted. It serves until its input ends. In a
// test run of its own it checks that such a server can be reached.
func TestServer(t *testing.T) {
	if os.Getenv(serverMarker) == "" {
		lock := holdfastLock(t, serverConfig(t))
		require.NoError(t, lock.Create(t.Context(), benchRecord(benchEpoch)))
		_, _, err := lock.Get(t.Context())
		require.NoError(t, err)
		return
	}
	endpoint, err := leaseapi.NewStore(leaseapi.Options{}).Serve("a")
	require.NoError(t, err)
	config := endpoint.Config()
	require.NoError(t, json.NewEncoder(os.Stdout).Encode(address{Host: config.Host, CA: config.CAData}))
	_, err = io.Copy(io.Discard, os.Stdin)
	require.NoError(t, err)
	require.NoError(t, endpoint.Close())
}

// serverConfig starts a server that lives as long as the test, and returns the
// way to it.
func serverConfig(tb testing.TB) *rest.Config {
	tb.Helper()
	server := exec.Command(os.Args[0], "-test.run=^TestServer$", "-test.timeout=10m")
	server.Env = append(os.Environ(), serverMarker+"=1")
	server.Stderr = os.Stderr
	end, err := server.StdinPipe()
	require.NoError(tb, err)
	out, err := server.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, server.Start())
	tb.Cleanup(func() {
		require.NoError(tb, end.Close())
		_, _ = io.Copy(io.Discard, out) // until it has ended
		require.NoError(tb, server.Wait())
	})
	var at address
	require.NoError(tb, json.NewDecoder(out).Decode(&at))
	return &rest.Config{Host: at.Host, TLSClientConfig: rest.TLSClientConfig{CAData: at.CA}}
}
