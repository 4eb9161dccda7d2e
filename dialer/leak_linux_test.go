package dialer

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Ten thousand dials of real sockets, of each kind that there is, leave no
// socket, no goroutine and no timer. The bounds are far longer than the test,
// so that what outlives its dial is still there at the end.
func TestDialsLeaveNothingBehind(t *testing.T) {
	const dials, workers = 10_000, 16
	before := goleak.IgnoreCurrent()
	listener := discard(t)
	open, closed := listener.Addr().String(), refusing(t)

	var hangs sync.Map // the dials that are to hang once
	hang := func(ctx context.Context, network, address string) (net.Conn, error) {
		if once, ok := hangs.LoadAndDelete(ctx.Value(dialKey{})); ok && once != nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	kinds := []struct {
		name string
		dial func(n int, meter *Meter) error
		want error // nil: it succeeds
	}{
		{"succeeds", func(_ int, m *Meter) error {
			return dialAndClose(context.Background(), &Dialer{Connect: time.Hour, Hedge: time.Minute, Meter: m}, open)
		}, nil},
		{"is refused", func(_ int, m *Meter) error {
			return dialAndClose(context.Background(), &Dialer{Connect: time.Hour, Hedge: time.Millisecond, Meter: m}, closed)
		}, errAny},
		{"is hedged", func(n int, m *Meter) error {
			hangs.Store(n, true)
			d := &Dialer{Connect: time.Hour, Hedge: time.Millisecond, Meter: m, Dial: hang}
			return dialAndClose(context.WithValue(context.Background(), dialKey{}, n), d, open)
		}, nil},
		{"is cancelled", func(_ int, m *Meter) error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			d := &Dialer{Connect: time.Hour, Hedge: time.Minute, Meter: m, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				cancel()
				return new(net.Dialer).DialContext(context.WithoutCancel(ctx), network, address) // connects late
			}}
			err := dialAndClose(ctx, d, open)
			if err == nil || errors.Is(err, context.Canceled) {
				return context.Canceled // either may be noticed first
			}
			return err
		}, context.Canceled},
	}

	var meter Meter
	run := func(n int) {
		var wg sync.WaitGroup
		var next atomic.Int64
		for range workers {
			wg.Go(func() {
				for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
					kind := kinds[i%len(kinds)]
					err := kind.dial(i, &meter)
					switch {
					case kind.want == nil:
						assert.NoError(t, err, kind.name)
					case kind.want == errAny:
						assert.Error(t, err, kind.name)
					default:
						assert.ErrorIs(t, err, kind.want, kind.name)
					}
				}
			})
		}
		wg.Wait()
	}
	// settled waits for the losers of the last dials, which are closed behind
	// the backs of those who dialled, and returns what is left.
	settled := func() (descriptors int, objects uint64) {
		require.Eventually(t, func() bool { return meter.Stats().Open == 0 }, 20*time.Second, time.Millisecond)
		require.NoError(t, goleak.Find(before, goleak.IgnoreAnyFunction("github.com/holdfast-go/holdfast/dialer.accept")))
		require.Eventually(t, func() bool { return listener.open.Load() == 0 }, 20*time.Second, time.Millisecond)
		runtime.GC()
		runtime.GC()
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries), memory.HeapObjects
	}
	run(200) // what is made once is made now
	wasOpen, wasHeld := settled()
	start := time.Now()
	run(dials)
	elapsed := time.Since(start)
	isOpen, isHeld := settled()
	stats := meter.Stats()
	t.Logf("figure: %d dials in %v: %d connections, %d failed, %d siblings, %d of them won; descriptors %d before, %d after; heap objects %d, %d",
		dials, elapsed.Round(time.Millisecond), stats.Opened, stats.DialsFailed, stats.Siblings, stats.SiblingsWon, wasOpen, isOpen, wasHeld, isHeld)
	assert.Equal(t, wasOpen, isOpen, "descriptors")
	// A timer that goes on holds its context, which is several objects.
	assert.Less(t, int64(isHeld)-int64(wasHeld), int64(dials), "heap objects: a timer or a context is left of every dial")
	assert.EqualValues(t, dials+200, stats.Dials)
	assert.Positive(t, stats.Closed[LostDial])
	assert.GreaterOrEqual(t, stats.SiblingsWon, int64(dials/len(kinds)))
}

var errAny = errors.New("any error")

type dialKey struct{}

func dialAndClose(ctx context.Context, d *Dialer, address string) error {
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// sink is a listener that reads what it accepts to the end.
type sink struct {
	net.Listener
	open atomic.Int64
}

// discard listens and takes every connection down with a reset once the peer
// has closed it, so that no port is left in TIME_WAIT.
func discard(t *testing.T) *sink {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &sink{Listener: listener}
	var wg sync.WaitGroup
	wg.Go(func() { accept(s, &wg) })
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	return s
}

func accept(s *sink, wg *sync.WaitGroup) {
	for {
		peer, err := s.Accept()
		if err != nil {
			return
		}
		s.open.Add(1)
		wg.Go(func() {
			defer s.open.Add(-1)
			_, _ = io.Copy(io.Discard, peer)
			_ = peer.(*net.TCPConn).SetLinger(0)
			_ = peer.Close()
		})
	}
}

// refusing returns an address that refuses connections.
func refusing(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
