package holdfastprom

import (
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/dialer"
)

func TestConnectionsAreShownFromTheirOpeningToTheirClose(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	metrics := New()
	meter := new(dialer.Meter)
	metrics.Meter("lock", meter)
	problems, err := testutil.CollectAndLint(metrics)
	require.NoError(t, err)
	assert.Empty(t, problems)
	assert.Zero(t, value(t, metrics, "holdfast_connections_closed_total", "lock", "timed-out"), "there before it counts")

	conn, err := (&dialer.Dialer{Hedge: -1, Meter: meter}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_connections_open", "lock"))
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_connections_opened_total", "lock"))
	require.NoError(t, conn.Close())
	assert.Zero(t, value(t, metrics, "holdfast_connections_open", "lock"))
	assert.EqualValues(t, 1, value(t, metrics, "holdfast_connections_closed_total", "lock", "by-us"))
	metrics.Meter("lock", nil)
	assert.Zero(t, testutil.CollectAndCount(metrics))
}
