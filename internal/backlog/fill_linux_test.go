package backlog_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/backlog"
)

func TestAListenerWhoseBacklogIsFullAnswersNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	backlog.Fill(t, listener)
	for range 3 {
		_, err := net.DialTimeout("tcp", listener.Addr().String(), 50*time.Millisecond)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout(), "%v", err)
	}
}
