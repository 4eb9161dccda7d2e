package resourcelock

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Whatever the address of the API looks like, an answer that stops in its middle is no
// stream: another one is asked for.
func TestALockBehindAHubIsAnsweredInWhole(t *testing.T) {
	for name, prefix := range map[string]string{
		"straight":              "",
		"a hub":                 "/apis/cluster.karmada.io/v1alpha1/clusters/member/proxy",
		"a proxy of a Service":  "/api/v1/namespaces/n/services/https:apiserver:443/proxy",
		"a name that says exec": "/api/v1/namespaces/n/pods/p/exec",
	} {
		t.Run(name, func(t *testing.T) {
			lease := coordinationv1.Lease{
				TypeMeta:   metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"},
				ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "l", ResourceVersion: "5", Annotations: map[string]string{"a": strings.Repeat("x", 4096)}},
			}
			body, err := json.Marshal(lease)
			require.NoError(t, err)
			end := make(chan struct{})
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if asked.Add(1) > 1 {
					_, _ = w.Write(body)
					return
				}
				_, _ = w.Write(body[:len(body)/2])
				w.(http.Flusher).Flush()
				<-end
			}))
			defer server.Close()
			defer close(end)
			factory, err := NewFactory(&rest.Config{Host: server.URL + prefix}, Options{RenewDeadline: 10 * time.Second})
			require.NoError(t, err)
			lock, err := factory.Lock(LeasesResourceLock, "ns", "l", ResourceLockConfig{Identity: "me"})
			require.NoError(t, err)
			_, _, err = lock.Get(t.Context())
			require.NoError(t, err)
			assert.Greater(t, asked.Load(), int32(1))
			closeIdleConnections(transportOf(factory.client))
		})
	}
}
