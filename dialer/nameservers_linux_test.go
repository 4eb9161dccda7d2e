package dialer

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const nameServersChild = "HOLDFAST_TEST_NAME_SERVERS"

// The first of two name servers is dead, which costs Go's resolver five seconds and a
// dial a hedge. The name servers are those of resolv.conf, so the test runs
// itself again in a mount namespace that has a file of its own there.
func TestADeadNameServerCostsOneHedge(t *testing.T) {
	if os.Getenv(nameServersChild) == "" {
		conf := filepath.Join(t.TempDir(), "resolv.conf")
		require.NoError(t, os.WriteFile(conf, []byte("# two\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"), 0o600))
		script := `mount --bind "$1" /etc/resolv.conf || { echo unable; exit 0; }; exec "$2" -test.run '^TestADeadNameServerCostsOneHedge$' -test.v`
		child := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", script, "sh", conf, os.Args[0])
		child.Env = append(os.Environ(), nameServersChild+"=1")
		out, err := child.CombinedOutput()
		if strings.Contains(string(out), "unable") || strings.Contains(string(out), "unshare") || len(out) == 0 {
			t.Skipf("no mount namespace of one's own: %s (%v)", out, err)
		}
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS")
		return
	}
	alive := newNames(t, "127.0.0.1")
	dead := newNames(t)
	dead.lose.Store(1 << 30)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	d := &Dialer{Connect: time.Minute, Hedge: 100 * ms, Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
		to := map[string]*names{"192.0.2.1:53": dead, "192.0.2.2:53": alive}[address]
		return new(net.Dialer).DialContext(ctx, "udp", to.conn.LocalAddr().String())
	}}}
	start := time.Now()
	conn, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(apiName, port))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	assert.Less(t, time.Since(start), 5*time.Second, "the resolver's own timeout")
	assert.NotZero(t, dead.queries.Load())
}
