package leaseapi

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// line is the state of the network on one side of a Relay: what happens to
// bytes on their way to and from an Endpoint or a Host.
type line struct {
	requests *gate // towards the Endpoint
	answers  *gate // from the Endpoint
	delay    atomic.Int64
}

func newLine() *line { return &line{requests: newGate(), answers: newGate()} }

func (l *line) mend() {
	l.delay.Store(0)
	l.requests.open()
	l.answers.open()
}

// gate lets bytes pass while it is open. It starts open.
type gate struct {
	mu   sync.Mutex
	pass chan struct{} // closed while the gate is open
	isUp bool          // whether pass is closed
}

func newGate() *gate {
	g := &gate{pass: make(chan struct{})}
	g.open()
	return g
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isUp {
		g.isUp = true
		close(g.pass)
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isUp {
		g.isUp = false
		g.pass = make(chan struct{})
	}
}

// state returns the channel to wait on, and whether the gate is open now.
func (g *gate) state() (<-chan struct{}, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pass, g.isUp
}

// through waits until all gates are open at once.
func through(ctx context.Context, gates ...*gate) error {
	for {
		var closed <-chan struct{}
		for _, g := range gates {
			if pass, up := g.state(); !up {
				closed = pass
				break
			}
		}
		if closed == nil {
			return ctx.Err()
		}
		select {
		case <-closed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// piece is what one read returned, and when.
type piece struct {
	bytes []byte
	at    time.Time
}

// inFlight bounds how many pieces a direction holds between its two ends; then
// the sender's socket fills, as it would on a network.
const inFlight = 64

// pump moves bytes from one connection to another until either ends, each piece
// not before its delay has passed and every gate is open. The end of the
// stream waits its turn like any byte.
func pump(ctx context.Context, to, from net.Conn, delay func() time.Duration, gates ...*gate) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pieces := make(chan piece, inFlight)
	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 16<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				select {
				case pieces <- piece{bytes: buffer[:n], at: time.Now()}:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	for p := range pieces {
		if !sleepUntil(ctx, p.at, delay) || through(ctx, gates...) != nil {
			break
		}
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	if through(ctx, gates...) == nil {
		endWriting(to)
	}
	// Nobody takes what else may come: let the reader see the end.
	cancel()
	_ = from.SetReadDeadline(time.Now())
}

// sleepUntil waits until delay has passed since at. A delay that changes counts
// from the next piece on.
func sleepUntil(ctx context.Context, at time.Time, delay func() time.Duration) bool {
	wait := delay() - time.Since(at)
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// endWriting passes on the end of a stream.
func endWriting(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = conn.(io.Closer).Close()
}
