package front

import (
	"context"
	"net"
	"sync"
)

// conns are the connections that a front's clients hold.
type conns struct {
	mu   sync.Mutex
	open map[*conn]bool // true: held back, the handshake is never answered
}

// conn is one of them.
type conn struct {
	*net.TCPConn
	all *conns
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.all.mu.Lock()
	delete(c.all.open, c)
	c.all.mu.Unlock()
	return c.TCPConn.Close()
}

func (c *conns) add(tcp *net.TCPConn, held bool) *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*conn]bool{}
	}
	this := &conn{TCPConn: tcp, all: c}
	c.open[this] = held
	return this
}

// closeAll ends every connection: with linger zero the kernel sends a reset
// instead of FIN.
func (c *conns) closeAll(reset bool) {
	c.closeThose(reset, func(bool) bool { return true })
}

func (c *conns) releaseHeld() { c.closeThose(true, func(held bool) bool { return held }) }

func (c *conns) closeThose(reset bool, which func(held bool) bool) {
	c.mu.Lock()
	var chosen []*conn
	for this, held := range c.open {
		if which(held) {
			chosen = append(chosen, this)
		}
	}
	c.mu.Unlock()
	for _, this := range chosen {
		if reset {
			_ = this.SetLinger(0) // fails only on a connection that has ended
		}
		_ = this.Close()
	}
}

// listener hands over the connections that are to be served.
type listener struct {
	net.Listener
	front *Front
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			_ = c.Close()
			continue
		}
		held := l.front.now().NoHandshake
		this := l.front.conns.add(tcp, held)
		if !held {
			return this, nil
		}
	}
}

type socketKey struct{}

// socket is what is below a request: the connection as its protocol sees it, and
// the TCP connection.
type socket struct {
	net.Conn
	tcp *net.TCPConn
}

// withSocket lets a handler reach the socket below its request.
func withSocket(ctx context.Context, top net.Conn) context.Context {
	for c := top; ; {
		switch this := c.(type) {
		case *conn:
			return context.WithValue(ctx, socketKey{}, socket{Conn: top, tcp: this.TCPConn})
		case interface{ NetConn() net.Conn }:
			c = this.NetConn()
		default:
			return ctx
		}
	}
}

func socketOf(ctx context.Context) (socket, bool) {
	s, ok := ctx.Value(socketKey{}).(socket)
	return s, ok
}
