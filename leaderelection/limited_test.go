package leaderelection

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	upstream "k8s.io/client-go/tools/leaderelection/resourcelock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// unhardenedLocks returns this library's and client-go's lock around one
// clientset on a server that refuses and asks to wait.
func unhardenedLocks(t *testing.T, qps float32) (clientset *kubernetes.Clientset, locks map[string]rl.Versioned) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	clientset, err := kubernetes.NewForConfigAndClient(&rest.Config{Host: server.URL, QPS: qps, Burst: 1}, &http.Client{Transport: transport})
	require.NoError(t, err)
	bound := func(lock rl.Interface) rl.Versioned {
		return newBoundedLock(lock, timepiece{realClock{}}, nil, timing{})
	}
	meta, identity := metav1.ObjectMeta{Namespace: "default", Name: "it"}, rl.ResourceLockConfig{Identity: "a"}
	return clientset, map[string]rl.Versioned{
		"ours":        bound(&rl.LeaseLock{LeaseMeta: meta, Client: clientset.CoordinationV1(), LockConfig: identity}),
		"client-go's": bound(&upstream.LeaseLock{LeaseMeta: meta, Client: clientset.CoordinationV1(), LockConfig: identity}),
	}
}

func TestARefusalThatClientGoSleptOnIsToldAsOne(t *testing.T) {
	_, locks := unhardenedLocks(t, 1000)
	for name, lock := range locks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, outOfTime{2 * time.Second})
			defer cancel()
			_, err := lock.Read(ctx)
			assert.ErrorContains(t, err, "the API server refused, and asked to wait")
		})
	}
}

func TestAStarvedRateLimiterIsTold(t *testing.T) {
	clientset, locks := unhardenedLocks(t, 0.001)
	clientset.CoordinationV1().RESTClient().GetRateLimiter().TryAccept() // other traffic
	for name, lock := range locks {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			_, err := lock.Read(ctx)
			assert.ErrorContains(t, err, "shared with all that uses the client")
			_, err = lock.Write(ctx, rl.Snapshot{}, rl.Entry{})
			assert.ErrorContains(t, err, "shared with all that uses the client")
		})
	}
}
