package redirect_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/internal/redirect"
)

// chain answers the first so many requests with a redirect, and counts them all.
type chain struct{ redirects, requests int }

func (c *chain) RoundTrip(request *http.Request) (*http.Response, error) {
	c.requests++
	response := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("there")), Request: request}
	if c.requests <= c.redirects {
		response.StatusCode = http.StatusTemporaryRedirect
		response.Header.Set("Location", "http://elsewhere.test/it")
	}
	return response, nil
}

func TestACallFollowsTwoRedirectsAndPaysForThem(t *testing.T) {
	for redirects, want := range []struct{ requests, paid int }{{1, 0}, {2, 1}, {3, 2}, {3, 2}, {3, 2}} {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			c := &chain{redirects: redirects}
			paid := 0
			ctx := redirect.Paid(context.Background(), func() { paid++ })
			request, err := http.NewRequestWithContext(ctx, method, "http://api.test/it", strings.NewReader("body"))
			require.NoError(t, err)
			response, err := (&http.Client{Transport: redirect.Limit(c)}).Do(request)
			if redirects <= redirect.Most {
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
			} else {
				require.ErrorContains(t, err, "redirected 3 times, at last to http://elsewhere.test/it")
			}
			assert.Equal(t, want.requests, c.requests, "%s, %d redirects", method, redirects)
			assert.Equal(t, want.paid, paid, "%s, %d redirects", method, redirects)
		}
	}
}

func TestWhoPaysNothingFollowsAsFar(t *testing.T) {
	c := &chain{redirects: 2}
	response, err := (&http.Client{Transport: redirect.Limit(c)}).Get("http://api.test/it")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, 3, c.requests)
}
