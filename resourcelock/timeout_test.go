package resourcelock

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// A call may be several requests: a write, and a read of whose write stands there.
func TestATighterTimeoutOfTheUsersIsTheBoundOfAWholeCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = time.Second
		config := &rest.Config{Host: "http://192.0.2.1", Timeout: timeout}
		config.Wrap(func(http.RoundTripper) http.RoundTripper {
			return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodGet { // whose write stands there is never told
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				time.Sleep(timeout * 8 / 10)
				return &http.Response{
					StatusCode: http.StatusConflict, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
					Body: io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"AlreadyExists","code":409}`)),
				}, nil
			})
		})
		l := lock(t, config, "me", Options{RenewDeadline: 10 * time.Second})
		bound, bounded := l.Bound()
		require.True(t, bounded)
		assert.Equal(t, timeout, bound)
		start := time.Now()
		require.Error(t, l.Create(t.Context(), recordOf("me", time.Second)))
		assert.Equal(t, timeout, time.Since(start))
		time.Sleep(time.Minute) // the attempts that were outrun
	})
}

func TestFewerIdleConnectionsOfTheUsersStay(t *testing.T) {
	for set, want := range map[int]int{0: mostIdle, -1: -1, 1: 1, 100: mostIdle} {
		factory, err := NewFactory(&rest.Config{Host: "https://192.0.2.1", Transport: &http.Transport{MaxIdleConnsPerHost: set}}, Options{RenewDeadline: time.Second})
		require.NoError(t, err)
		var sockets *http.Transport
		for link := range chain(transportOf(factory.client)) {
			if t, is := link.(*http.Transport); is {
				sockets = t
			}
		}
		require.NotNil(t, sockets)
		assert.Equal(t, want, sockets.MaxIdleConnsPerHost)
	}
}
