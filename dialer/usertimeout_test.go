package dialer

import (
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// A Timeout that ends a call sooner than the budget would still does, and the budget
// that the client tells of says so. The body of a watch is not bounded by it.
func TestATighterTimeoutOfTheUserStays(t *testing.T) {
	overPipes(t, func(w http.ResponseWriter, request *http.Request) {
		if IsStream(request) {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(600 * ms)
			hello(w, request)
			return
		}
		_, _ = io.Copy(io.Discard, request.Body) // else the server does not see that the client has gone
		<-request.Context().Done()
	}, func(t *testing.T, config *rest.Config) {
		config.Timeout = 300 * ms
		hardened, err := Harden(config, Budget{Answer: time.Minute, Open: time.Minute, Upload: time.Minute, Hedge: 30 * time.Second})
		require.NoError(t, err)
		client := clientFor(t, hardened)
		budget, is := Hardened(client.Transport)
		require.True(t, is)
		assert.Equal(t, 300*ms, budget.Answer)
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			start := time.Now()
			_, err = client.Do(newRequestTo(t, method, config.Host))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded, "its own bound")
			assert.LessOrEqual(t, time.Since(start), 300*ms)
		}
		assert.Contains(t, get(t, client, config.Host+"?watch=true"), "hello")
	})
}

func TestABudgetFitsIntoATighterBound(t *testing.T) {
	for _, b := range []Budget{
		{Answer: 10 * time.Second},
		{Answer: 10 * time.Second, Hedge: 4 * time.Second, Connect: 9 * time.Second, DialHedge: 8 * time.Second, Silence: time.Minute},
		{Answer: 10 * time.Second, Open: time.Hour, Upload: time.Hour},
		{Answer: 10 * time.Second, Open: time.Second, Hedge: -1, DialHedge: -1, Silence: -1},
		Budget{Answer: 10 * time.Second}.WithDefaults(),
	} {
		require.NoError(t, b.Validate())
		assert.Equal(t, b, b.within(0))
		assert.Equal(t, b.WithDefaults(), b.within(3*time.Hour).WithDefaults())
		for most := 4 * time.Nanosecond; most < 3*time.Hour; most = most*3/2 + 1 {
			tight := b.within(most)
			require.NoError(t, tight.Validate(), "%+v within %v", b, most)
			for _, stream := range []bool{false, true} {
				for _, body := range []bool{false, true} {
					have, had := tight.WithDefaults().call(stream, body), b.WithDefaults().call(stream, body)
					require.LessOrEqual(t, have, min(most, had))
					if most >= had && !(stream && body) && b.Upload == 0 {
						require.Equal(t, had, have)
					}
				}
			}
			require.Equal(t, b.Hedge < 0, tight.Hedge < 0)
		}
	}
}
