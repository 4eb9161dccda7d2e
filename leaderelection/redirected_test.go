package leaderelection

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	restclient "k8s.io/client-go/rest"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// astray redirects every request to where it came from, or to another host and then
// refuses it there.
type astray struct {
	refuses bool

	mu   sync.Mutex
	sent []time.Time
}

func (a *astray) RoundTrip(request *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent = append(a.sent, time.Now())
	if request.Body != nil {
		_ = request.Body.Close()
	}
	response := &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: request}
	response.Header.Set("Location", "http://elsewhere.test"+request.URL.RequestURI())
	if a.refuses && request.URL.Host == "elsewhere.test" {
		response.StatusCode = http.StatusInternalServerError
	}
	return response, nil
}

func (a *astray) most() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fullestMinute(a.sent)
}

// http.Client follows redirects by itself, ten for each call.
func TestRedirectsAreRequestsToo(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		for _, retry := range []time.Duration{s, 2 * s} {
			t.Run(fmt.Sprintf("refuses %v, at %v", refuses, retry), func(t *testing.T) {
				within(t, func(t *testing.T) {
					api := &astray{refuses: refuses}
					config := &restclient.Config{Host: "http://api.test", Transport: api}
					lock, err := rl.NewFromKubeconfig(rl.LeasesResourceLock, "default", "it", rl.ResourceLockConfig{Identity: "a"}, config, 5*retry)
					require.NoError(t, err)
					contend(t, lock, func(c *LeaderElectionConfig) {
						c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = 8*retry, 5*retry, retry
						c.ContendAgain = true
					})
					sleep(5 * time.Minute)
					assert.NotZero(t, api.most())
					assert.LessOrEqual(t, api.most(), 120)
				})
			})
		}
	}
}
