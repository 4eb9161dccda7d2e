package resourcelock

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// The lock's API is reached through a hub. The first connection's answer stops in its middle.
func TestBrkLockThroughAHub(t *testing.T) {
	for name, prefix := range map[string]string{"straight": "", "hub": "/apis/cluster.karmada.io/v1alpha1/clusters/member/proxy"} {
		t.Run(name, func(t *testing.T) {
			end := make(chan struct{})
			var n atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"l","namespace":"ns","resourceVersion":"5","annotations":{"a":"` + strings.Repeat("x", 4096) + `"}},"spec":{"holderIdentity":"x","leaseDurationSeconds":15}}`
				w.Header().Set("Content-Type", "application/json")
				if n.Add(1) == 1 {
					_, _ = io.WriteString(w, body[:2000])
					w.(http.Flusher).Flush()
					<-end
					return
				}
				_, _ = io.WriteString(w, body)
			}))
			defer s.Close()
			defer close(end)
			f, err := NewFactory(&rest.Config{Host: s.URL + prefix}, Options{RenewDeadline: 2 * time.Second})
			require.NoError(t, err)
			l, err := f.Lock(LeasesResourceLock, "ns", "l", ResourceLockConfig{Identity: "me"})
			require.NoError(t, err)
			start := time.Now()
			_, _, err = l.Get(context.Background())
			t.Log(time.Since(start), err)
			assert.NoError(t, err)
			closeIdleConnections(transportOf(f.client))
		})
	}
}
