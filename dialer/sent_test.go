package dialer

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// A program that upgrades connections by itself asks the round trippers of a config for a
// request's headers so: it sends it to one that answers with the request.
func TestAnAnswerTellsTheRequestThatWasSent(t *testing.T) {
	mirror := roundTripFunc(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
	})
	theirs := &rest.Config{Host: "https://192.0.2.1", BearerToken: "token"}
	theirs.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.Header.Set("Tenant", "me")
			return next.RoundTrip(r)
		})
	})
	for way, harden := range ways {
		hardened, err := harden(theirs)
		require.NoError(t, err)
		rt, err := rest.HTTPWrappersForConfig(hardened, mirror)
		require.NoError(t, err)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://192.0.2.1/api/v1/namespaces/n/pods/p/exec", nil)
		require.NoError(t, err)
		response, err := rt.RoundTrip(request)
		require.NoError(t, err)
		assert.Equal(t, "me", response.Request.Header.Get("Tenant"), way)
		assert.Equal(t, "Bearer token", response.Request.Header.Get("Authorization"), way)
		require.NoError(t, response.Body.Close())
		assert.NoError(t, response.Request.Context().Err(), way)
	}
}
