package resourcelock_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/holdfast-go/holdfast/internal/leaseapi"
	"github.com/holdfast-go/holdfast/resourcelock"
)

// A read that doubts the connection that the one before it has used.
func ExampleOnNewConnection() {
	var opened atomic.Int32
	endpoint, err := leaseapi.NewStore(leaseapi.Options{ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}}).Serve("a")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = endpoint.Close() }()
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "controller",
		resourcelock.ResourceLockConfig{Identity: "a"}, endpoint.Config(), 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		_, _, _ = lock.Get(context.Background()) // there is no Lease yet
		fmt.Println("connections opened:", opened.Load())
	}
	for ; opened.Load() == 1; time.Sleep(time.Millisecond) { // once, unless the process is short of CPU
		_, _, _ = lock.Get(resourcelock.OnNewConnection(context.Background()))
	}
	fmt.Println("connections opened:", opened.Load())
	// Output:
	// connections opened: 1
	// connections opened: 1
	// connections opened: 2
}
