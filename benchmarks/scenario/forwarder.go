package scenario

import (
	"context"
	"net"
	"sync"
	"time"
)

// forwarder passes bytes between the clients of a listener and what dial
// reaches, as its holdback says.
type forwarder struct {
	listener net.Listener
	dial     func(context.Context) (net.Conn, error)
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu   sync.Mutex
	hold holdback
}

// forward returns a forwarder that runs until it is closed.
func forward(listener net.Listener, dial func(context.Context) (net.Conn, error)) *forwarder {
	f := &forwarder{listener: listener, dial: dial}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			f.running.Go(func() { f.serve(client) })
		}
	})
	return f
}

func (f *forwarder) holdBack(by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold.begin(by)
}

func (f *forwarder) lag(by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold.lag(by)
}

func (f *forwarder) close() error {
	f.cancel()
	err := f.listener.Close()
	f.running.Wait()
	return err
}

// serve passes bytes both ways until either side has ended the connection.
func (f *forwarder) serve(client net.Conn) {
	defer client.Close()
	server, err := f.dial(f.ctx)
	if err != nil {
		return // the client sees its connection end
	}
	defer server.Close()
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		_, _ = client.Close(), server.Close()
	})()
	answers := make(chan parcel, 64)
	f.running.Go(func() {
		defer cancel()
		deliver(ctx, client, answers)
	})
	f.running.Go(func() {
		defer close(answers)
		f.pump(server, func(p []byte) error {
			f.mu.Lock()
			due, ever := f.hold.answer(time.Now())
			f.mu.Unlock()
			if !ever {
				return nil
			}
			select {
			case answers <- parcel{due: due, content: p}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	f.pump(client, func(p []byte) error {
		f.mu.Lock()
		ever := f.hold.request(time.Now())
		f.mu.Unlock()
		if !ever {
			return nil
		}
		_, err := server.Write(p)
		return err
	})
}

// pump hands to take whatever from says, each time in a slice of its own.
func (f *forwarder) pump(from net.Conn, take func([]byte) error) {
	for {
		p := make([]byte, 32<<10)
		n, err := from.Read(p)
		if n > 0 && take(p[:n]) != nil {
			return
		}
		if err != nil {
			return
		}
	}
}

// parcel is what was read at once, and when it is to be passed on.
type parcel struct {
	due     time.Time
	content []byte
}

// deliver writes parcels to client when they are due, until there are no more
// or ctx is done.
func deliver(ctx context.Context, client net.Conn, parcels <-chan parcel) {
	for p := range parcels {
		if wait := time.Until(p.due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		if _, err := client.Write(p.content); err != nil {
			return
		}
	}
}
