package locktest

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/backlog"
)

// deadAddress returns an address of loopback at whose port no SYN is answered: a
// listener with a backlog that is full drops them.
func deadAddress(t *testing.T, port int) string {
	const address = "127.0.0.2"
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	backlog.Fill(t, listener)
	return address
}
