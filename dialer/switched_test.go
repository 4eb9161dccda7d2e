package dialer

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// answering answers every request on its connections with head, and leaves them open.
// closed is sent each connection that its client has closed.
func answering(t *testing.T, head string) (url string, closed <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	ends := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, _ = io.WriteString(conn, head)
				_, _ = io.Copy(io.Discard, conn)
				ends <- struct{}{}
			}()
		}
	}()
	return "http://" + listener.Addr().String(), ends
}

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

// What no client can end is no stream: the caller of a request that has not asked for
// another protocol, and client-go for a watch that is answered otherwise than by 200,
// read it to an end that never comes.
func TestOnlyWhatWasAskedForIsAStream(t *testing.T) {
	for name, c := range map[string]struct{ path, head string }{
		"101 to a read":             {"/api/v1/pods", switched},
		"101 to a watch":            {"/api/v1/pods?watch=true", switched},
		"101 to a deprecated watch": {"/api/v1/watch/pods", switched},
		"201 to a watch":            {"/api/v1/pods?watch=true", "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"206 to a watch":            {"/api/v1/pods?watch=true", "HTTP/1.1 206 Partial\r\nContent-Length: 1000\r\n\r\n{"},
	} {
		t.Run(name, func(t *testing.T) {
			url, closed := answering(t, c.head)
			hardened, err := Harden(&rest.Config{Host: url}, Budget{Answer: 500 * time.Millisecond})
			require.NoError(t, err)
			client, err := rest.HTTPClientFor(hardened)
			require.NoError(t, err)
			begun := time.Now()
			response, err := client.Get(url + c.path)
			if err == nil {
				_, err = io.ReadAll(response.Body)
				_ = response.Body.Close()
			}
			require.Error(t, err)
			assert.Less(t, time.Since(begun), 5*time.Second)
			select {
			case <-closed:
			case <-time.After(5 * time.Second):
				require.Fail(t, "the connection stays open")
			}
		})
	}
}

// client-go asks below our round tripper for a websocket into a Pod.
func TestAWayIntoAPodMaySwitchProtocols(t *testing.T) {
	url, _ := answering(t, switched)
	hardened, err := Harden(&rest.Config{Host: url}, Budget{Answer: 20 * time.Second})
	require.NoError(t, err)
	client, err := rest.HTTPClientFor(hardened)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/api/v1/namespaces/n/pods/p/exec", nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	_, writes := response.Body.(io.Writer)
	assert.True(t, writes)
	require.NoError(t, response.Body.Close())
}
