package dialer

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One server of three may begin every answer and never end it, for longer than the
// hedging budget lasts.
func TestAnAnswerThatStopsGetsAnotherAttemptWithoutATokenLeft(t *testing.T) {
	var asked atomic.Int32
	server, _ := newServer(t, false, func(w http.ResponseWriter, request *http.Request) {
		if asked.Add(1) > 1 {
			hello(w, request)
			return
		}
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half of it")
		w.(http.Flusher).Flush()
		<-request.Context().Done()
	})
	client := newClient(t, server, Budget{Answer: 10 * time.Second, Connect: 500 * ms})
	drain(&client.Transport.(*Transport).tokens)
	start := time.Now()
	response, err := client.Get(server.URL)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, "hello over HTTP/1.1", string(body))
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.EqualValues(t, 2, asked.Load())
}
