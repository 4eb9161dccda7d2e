package main

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
)

// However often all addresses have refused, the one that comes back is found, though
// the others go on refusing.
func TestAnAddressThatComesBackIsFoundBehindOthersThatRefuse(t *testing.T) {
	for _, n := range []int{2, 6} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var addresses []string
				for i := range n {
					addresses = append(addresses, fmt.Sprintf("192.0.2.%d:6443", i+1))
				}
				var back string
				s := newServers(addresses, 5*time.Second, 250*time.Millisecond, time.Second, nil)
				s.each.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
					if address != back {
						return nil, syscall.ECONNREFUSED
					}
					conn, _ := net.Pipe()
					return conn, nil
				}
				for range 10 {
					_, err := s.dial(t.Context())
					require.ErrorIs(t, err, syscall.ECONNREFUSED)
				}
				back = addresses[(s.first.Load()+int64(n)-1)%int64(n)] // tried last
				dials := 1
				conn, err := s.dial(t.Context())
				for ; err != nil && dials < n; dials++ {
					conn, err = s.dial(t.Context())
				}
				require.NoError(t, err, "each dial must begin behind what has failed")
				require.NoError(t, conn.Close())
				dialled := time.Now()
				conn, err = s.dial(t.Context())
				require.NoError(t, err)
				require.NoError(t, conn.Close())
				require.Zero(t, time.Since(dialled), "the next dial begins with what has answered")
			})
		})
	}
}
