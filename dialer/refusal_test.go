package dialer

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

func TestAnotherServerIsAskedWhenOneRefuses(t *testing.T) {
	for _, status := range []int{429, 502, 503, 504} {
		synctest.Test(t, func(t *testing.T) {
			base := newScript(answer(status, "not here"), answer(200, "there"))
			response, err := send(base, newRequest(t.Context(), "PUT", "the lease"))
			require.NoError(t, err)
			assert.Equal(t, "there", bodyOf(t, response))
			assert.Equal(t, []time.Duration{0, 0}, base.at, "at once")
			assert.Equal(t, []string{"the lease", "the lease"}, base.bodies)
			assert.EqualValues(t, 1, base.idle.Load(), "on a new connection")
		})
	}
}

func TestWhereAllRefuseTheRefusalIsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(answer(429, "1"), answer(429, "2"), answer(503, "3"))
		response, err := send(base, newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Equal(t, 503, response.StatusCode)
		assert.Equal(t, "3", bodyOf(t, response))
		assert.EqualValues(t, 3, base.sent.Load(), "no fourth")
	})
	synctest.Test(t, func(t *testing.T) {
		base := newScript(answer(429, "busy"), silent)
		start := time.Now()
		response, err := send(base, newRequest(t.Context(), "GET", ""))
		require.NoError(t, err)
		assert.Equal(t, "busy", bodyOf(t, response), "a refusal is better than nothing")
		assert.Equal(t, time.Second, time.Since(start), "within the bound")
	})
}

func TestOtherAnswersAreTheLastWord(t *testing.T) {
	for _, status := range []int{200, 401, 403, 404, 409, 500} {
		synctest.Test(t, func(t *testing.T) {
			base := newScript(answer(status, "so it is"))
			response, err := send(base, newRequest(t.Context(), "GET", ""))
			require.NoError(t, err)
			assert.Equal(t, status, response.StatusCode)
			assert.EqualValues(t, 1, base.sent.Load())
		})
	}
}

func TestServersThatAreAllBusyAreSoonLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(answer(429, "busy"))
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second, Hedge: 100 * ms}}
		const requests = 1000
		for range requests {
			response, err := rt.RoundTrip(newRequest(t.Context(), "GET", ""))
			require.NoError(t, err)
			bodyOf(t, response)
		}
		added := float64(base.sent.Load()-requests) / requests
		t.Logf("figure: servers that refuse everything get %.1f %% more requests", 100*added)
		assert.LessOrEqual(t, added, 0.12, "a tenth, and a full bucket to begin with")
		assert.Positive(t, added)
	})
}

func TestARequestThatMayNotBeRepeatedIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newScript(answer(503, "no"))
		rt := &Transport{Base: base, Budget: Budget{Answer: time.Second}, Hedgeable: func(*http.Request) bool { return false }}
		response, err := rt.RoundTrip(newRequest(t.Context(), "POST", "once"))
		require.NoError(t, err)
		assert.Equal(t, "no", bodyOf(t, response))
		assert.EqualValues(t, 1, base.sent.Load())
	})
}

// client-go would sleep for the seconds that the server asks for, up to ten
// times, inside of the call.
func TestAServerThatAsksToWaitDoesNotHoldUpTheCall(t *testing.T) {
	for name, body := range map[string]string{
		"its words":    "Too many requests, please try again later.",
		"its own kind": `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Too many requests, please try again later.","reason":"TooManyRequests","code":429}`,
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server, _ := newServer(t, false, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("Retry-After", "3600")
				if strings.HasPrefix(body, "{") {
					w.Header().Set("Content-Type", "application/json")
				}
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = w.Write([]byte(body))
			})
			hardened, err := Harden(newConfig(server), Budget{Answer: 10 * time.Second})
			require.NoError(t, err)
			client, err := coordinationv1.NewForConfigAndClient(hardened, clientFor(t, hardened))
			require.NoError(t, err)
			_, err = client.Leases("ns").Get(context.Background(), "it", metav1.GetOptions{})
			assert.True(t, apierrors.IsTooManyRequests(err), "%v", err)
			assert.ErrorContains(t, err, "please try again later")
			seconds, asked := apierrors.SuggestsClientDelay(err)
			assert.True(t, asked)
			assert.Equal(t, 3600, seconds, "the caller is told")
			assert.EqualValues(t, 3, requests.Load(), "and two other connections were tried")
		})
	}
}
