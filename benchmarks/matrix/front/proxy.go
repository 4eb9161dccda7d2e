package front

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// Proxy is a forward proxy of HTTP (CONNECT) and of SOCKS5 before one API
// server: whatever name it is asked for leads there. All its methods are safe for
// concurrent use.
type Proxy struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	conns    conns
	serving  sync.WaitGroup

	mu     sync.Mutex
	silent bool
}

// NewProxy returns a proxy that serves until Close.
func NewProxy(l net.Listener, dial func() (net.Conn, error)) *Proxy {
	p := &Proxy{listener: l, dial: dial}
	p.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			if tcp, ok := c.(*net.TCPConn); ok {
				p.accept(tcp)
			}
		}
	})
	return p
}

// Silence ends every connection in good order, and leaves what new ones ask
// unanswered, until Mend.
func (p *Proxy) Silence() {
	p.silence(true)
	p.conns.closeAll(false)
}

// Mend ends Silence, and resets the connections that it has left unanswered.
func (p *Proxy) Mend() {
	p.silence(false)
	p.conns.releaseHeld()
}

func (p *Proxy) silence(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.conns.closeAll(true)
	p.serving.Wait()
	if err != nil {
		return fmt.Errorf("front: close the proxy: %w", err)
	}
	return nil
}

func (p *Proxy) accept(tcp *net.TCPConn) {
	p.mu.Lock()
	held := p.silent
	c := p.conns.add(tcp, held)
	p.mu.Unlock()
	if !held {
		p.serving.Go(func() { p.serve(c) })
	}
}

func (p *Proxy) serve(c *conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	greet, err := asked(in, c)
	if err != nil {
		return
	}
	server, err := p.dial()
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := io.WriteString(c, greet); err != nil {
		return
	}
	// Whichever way ends first ends the other.
	p.serving.Go(func() {
		_, _ = io.Copy(c, server)
		_ = c.Close()
	})
	_, _ = io.Copy(server, in)
}

// asked reads what a client asks for, and returns what tells it that it has it.
func asked(in *bufio.Reader, out io.Writer) (greet string, err error) {
	first, err := in.Peek(1)
	if err != nil {
		return "", err
	}
	if first[0] == socksVersion {
		return socksGreet, askedSOCKS(in, out)
	}
	request, err := http.ReadRequest(in)
	if err != nil {
		return "", err
	}
	if request.Method != http.MethodConnect {
		return "", fmt.Errorf("%s is no CONNECT", request.Method)
	}
	return "HTTP/1.1 200 OK\r\n\r\n", nil
}

// The bytes of RFC 1928 that are needed here.
const (
	socksVersion    = 5
	socksNoPassword = "\x05\x00"
	socksConnect    = 1
	socksIPv4       = 1
	socksName       = 3
	// socksGreet says that the connection is there, from 0.0.0.0:0.
	socksGreet = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
)

// askedSOCKS reads the methods of authentication, and then what is asked for.
func askedSOCKS(in *bufio.Reader, out io.Writer) error {
	methods := make([]byte, 2)
	if _, err := io.ReadFull(in, methods); err != nil {
		return err
	}
	if _, err := in.Discard(int(methods[1])); err != nil {
		return err
	}
	if _, err := io.WriteString(out, socksNoPassword); err != nil {
		return err
	}
	request := make([]byte, 5) // with the first byte of the address
	if _, err := io.ReadFull(in, request); err != nil {
		return err
	}
	rest := 0
	switch request[3] {
	case socksIPv4:
		rest = net.IPv4len - 1
	case socksName:
		rest = int(request[4])
	}
	if request[1] != socksConnect || rest == 0 {
		return errors.New("no CONNECT to a name or an IPv4 address")
	}
	_, err := in.Discard(rest + 2) // and the port
	return err
}
