package resourcelock

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// closesWhenTold is a connection of the user's that is closed only when it is told to be.
type closesWhenTold struct {
	net.Conn
	told <-chan struct{}
}

func (c closesWhenTold) Close() error {
	<-c.told
	return c.Conn.Close()
}

// The cleanups of a process share a few goroutines of the runtime: one that is kept up
// there keeps up all others, those of files and of everything else.
func TestADroppedLockWhoseConnectionDoesNotCloseHoldsUpNobody(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"namespace":"default","name":"it","resourceVersion":"1"}}`)
	}))
	defer api.Close()
	told := make(chan struct{})
	defer close(told)
	gone := make(chan struct{}, 20)
	for range cap(gone) {
		factory, err := NewFactory(&rest.Config{Host: api.URL, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return closesWhenTold{conn, told}, err
		}}, Options{RenewDeadline: 10 * time.Second})
		require.NoError(t, err)
		_, _, err = factory.lock("default", "it", ResourceLockConfig{Identity: "me"}, nil).Get(t.Context())
		require.NoError(t, err)
		runtime.AddCleanup(factory, func(gone chan<- struct{}) { gone <- struct{}{} }, gone)
	}
	require.Eventually(t, func() bool { runtime.GC(); return len(gone) == cap(gone) }, 30*time.Second, 10*time.Millisecond)
}
