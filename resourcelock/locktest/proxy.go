package locktest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy leads connections to the address that they ask for, by CONNECT or by SOCKS5.
type proxy struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	silent bool
	open   map[net.Conn]bool
}

func newProxy(t *testing.T) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, open: map[net.Conn]bool{}}
	p.serving.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			if p.add(c) {
				p.serving.Go(func() { p.serve(c) })
			}
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.hangUp()
		p.serving.Wait()
	})
	return p
}

// add notes a connection, and reports whether it is to be served.
func (p *proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = true
	return !p.silent
}

// silence ends all connections, and leaves what new ones ask unanswered.
func (p *proxy) silence() {
	p.set(true)
	p.hangUp()
}

// mend ends silence and what was left unanswered in it.
func (p *proxy) mend() {
	p.set(false)
	p.hangUp()
}

func (p *proxy) set(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
}

func (p *proxy) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	first, err := in.Peek(1)
	if err != nil {
		return
	}
	asked, granted := connectTo, "HTTP/1.1 200 OK\r\n\r\n"
	if first[0] == 5 {
		asked, granted = socksTo, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	}
	target, err := asked(in, c)
	if err != nil {
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := io.WriteString(c, granted); err != nil {
		return
	}
	p.serving.Go(func() {
		_, _ = io.Copy(server, in)
		_ = server.Close()
	})
	_, _ = io.Copy(c, server)
}

// connectTo reads what a CONNECT asks for.
func connectTo(in *bufio.Reader, _ io.Writer) (string, error) {
	request, err := http.ReadRequest(in)
	if err != nil {
		return "", err
	}
	if request.Method != http.MethodConnect {
		return "", errors.New(request.Method + " is no CONNECT")
	}
	return request.Host, nil
}

// socksTo reads what a client asks for by SOCKS5 (RFC 1928): no password, and a
// connection to an IPv4 address.
func socksTo(in *bufio.Reader, out io.Writer) (string, error) {
	methods := make([]byte, 2)
	if _, err := io.ReadFull(in, methods); err != nil {
		return "", err
	}
	if _, err := in.Discard(int(methods[1])); err != nil {
		return "", err
	}
	if _, err := out.Write([]byte{5, 0}); err != nil {
		return "", err
	}
	request := make([]byte, 10) // version, command, 0, kind of address, address, port
	if _, err := io.ReadFull(in, request); err != nil {
		return "", err
	}
	if request[1] != 1 || request[3] != 1 {
		return "", errors.New("no CONNECT to an IPv4 address")
	}
	port := int(request[8])<<8 | int(request[9])
	return net.JoinHostPort(net.IP(request[4:8]).String(), strconv.Itoa(port)), nil
}
