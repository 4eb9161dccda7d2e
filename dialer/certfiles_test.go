package dialer

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// connClosedBy is a connection that is closed by a function.
type connClosedBy struct {
	net.Conn
	end func()
}

func (c connClosedBy) Close() error {
	c.end()
	return nil
}

// A new certificate closes what was made with the old one. A handshake and a dial, which
// look for it, do not wait for that.
func TestConnectionsOfAnOldCertificateAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, closing := make(chan struct{}), new(atomic.Int32)
		f := &certFiles{age: 1, looked: time.Now(), conns: map[*certConn]int{}}
		for _, end := range []func(){func() { <-hang }, func() { panic("of the user's") }, func() {}} {
			f.track(connClosedBy{end: func() { closing.Add(1); end() }}, 0)
		}
		assert.Equal(t, 1, f.current())
		synctest.Wait()
		assert.EqualValues(t, 3, closing.Load())
		assert.Empty(t, f.conns)
		close(hang)
	})
}
