package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHealthAndReadinessFollowTheirSources(t *testing.T) {
	var sick error
	unready := errors.New("the caches are not filled yet")
	handler := healthHandler(func(*http.Request) error { return sick }, func(*http.Request) error { return unready })
	status := func(path string) int {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		return answer.Code
	}
	assert.Equal(t, http.StatusOK, status("/healthz"))
	assert.Equal(t, http.StatusServiceUnavailable, status("/readyz"))
	unready, sick = nil, errors.New("work outlived its lease")
	assert.Equal(t, http.StatusInternalServerError, status("/healthz"))
	assert.Equal(t, http.StatusOK, status("/readyz"))
}

func TestATakenHealthAddressIsAnErrorAtTheStart(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	_, err := serveHealth(taken.Listener.Addr().String(), http.NotFoundHandler(), func(error) {})
	require.ErrorContains(t, err, "-health-address")
}

func TestServingHealthLeavesNothingBehind(t *testing.T) {
	stop, err := serveHealth("127.0.0.1:0", http.NotFoundHandler(), func(err error) { assert.NoError(t, err) })
	require.NoError(t, err)
	stop()
}
