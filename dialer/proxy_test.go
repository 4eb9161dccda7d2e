package dialer

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// detour is a proxy. It leads connections to where they ask for: by CONNECT, plainly or within
// TLS, or by SOCKS5. While it is silent it accepts them and says nothing.
type detour struct {
	url    *url.URL
	silent atomic.Bool // to whom comes from now on
	mute   atomic.Bool // the same, but TLS shakes hands with them
	opened atomic.Int64
	open   atomic.Int64

	tls *tls.Config
	wg  sync.WaitGroup
}

var proxySchemes = []string{"http", "https", "socks5"}

func newDetour(t *testing.T, scheme string, identity *tls.Certificate) *detour {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &detour{url: &url.URL{Scheme: scheme, Host: listener.Addr().String()}}
	if scheme == "https" {
		p.tls = &tls.Config{Certificates: []tls.Certificate{*identity}, MinVersion: tls.VersionTLS12}
	}
	p.wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.opened.Add(1)
			p.open.Add(1)
			p.wg.Go(func() {
				defer p.open.Add(-1)
				defer func() { _ = client.Close() }()
				p.serve(client)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.wg.Wait()
	})
	return p
}

func (p *detour) serve(client net.Conn) {
	if p.silent.Load() {
		_, _ = io.Copy(io.Discard, client)
		return
	}
	if p.tls != nil {
		client = tls.Server(client, p.tls)
	}
	if p.mute.Load() {
		_, _ = io.Copy(io.Discard, client)
		return
	}
	reader := bufio.NewReader(client)
	target, answer := "", ""
	if p.url.Scheme == "socks5" {
		hello := make([]byte, 2)
		_, _ = io.ReadFull(reader, hello)
		_, _ = reader.Discard(int(hello[1]))
		_, _ = client.Write([]byte{5, 0})
		head := make([]byte, 10) // version, command, 0, IPv4, address, port
		if _, err := io.ReadFull(reader, head); err != nil || head[3] != 1 {
			return
		}
		target = net.JoinHostPort(net.IP(head[4:8]).String(), strconv.Itoa(int(binary.BigEndian.Uint16(head[8:]))))
		answer = string([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	} else {
		request, err := http.ReadRequest(reader)
		if err != nil || request.Method != http.MethodConnect {
			return
		}
		target, answer = request.Host, "HTTP/1.1 200 OK\r\n\r\n"
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	_, _ = io.WriteString(client, answer)
	p.wg.Go(func() {
		_, _ = io.Copy(server, reader)
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
}

// behind returns the config of a client whose way to the server is the proxy.
func (p *detour) behind(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.Proxy = http.ProxyURL(p.url)
	return config
}

var within = map[string]func(*rest.Config, time.Duration) (*rest.Config, error){
	"lock":    func(c *rest.Config, d time.Duration) (*rest.Config, error) { return Harden(c, Budget{Answer: d}) },
	"traffic": func(c *rest.Config, d time.Duration) (*rest.Config, error) { return HardenTraffic(c, d) },
}

// A proxy or a server that accepts connections and says no more leaves neither a
// request nor a connection beyond the bound, whoever gave up first.
func TestConnectionThatNeverGetsReadyEndsWithinTheBound(t *testing.T) {
	const bound, slack = 600 * ms, 3 * time.Second
	authority := newAuthority(t, "proxies")
	identity := authority.pair(t, "proxy")
	for _, scheme := range append([]string{"none", "mute https"}, proxySchemes...) {
		for name, harden := range within {
			for _, gone := range []bool{false, true} {
				t.Run(scheme+", "+name+map[bool]string{true: ", cancelled", false: ""}[gone], func(t *testing.T) {
					t.Parallel()
					kind := scheme
					if kind == "mute https" || kind == "none" {
						kind = "https"
					}
					p := newDetour(t, kind, &identity)
					p.silent.Store(scheme != "mute https")
					p.mute.Store(true)
					config := &rest.Config{Host: "https://192.0.2.1", TLSClientConfig: rest.TLSClientConfig{CAData: authority.pem()}}
					if scheme == "none" {
						config.Host = "https://" + p.url.Host
					} else {
						config = p.behind(config)
					}
					hardened, err := harden(config, bound)
					require.NoError(t, err)
					client, err := rest.HTTPClientFor(hardened)
					require.NoError(t, err)

					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if gone {
						time.AfterFunc(bound/4, cancel)
					}
					start := time.Now()
					var wg sync.WaitGroup
					for range 5 {
						wg.Go(func() {
							request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host, nil)
							if assert.NoError(t, err) {
								_, err = client.Do(request)
							}
							assert.Error(t, err)
							if !gone {
								var timeout net.Error // of net/http, whose handshake has the same bound
								assert.True(t, errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout(), err)
							}
						})
					}
					wg.Wait()
					assert.Less(t, time.Since(start), bound+slack)
					assert.Positive(t, p.opened.Load(), "it has been asked")
					assert.Eventually(t, func() bool { return p.open.Load() == 0 }, bound+slack, 10*ms, "every connection is closed")
				})
			}
		}
	}
}

// The bound is of the way to a connection. One that works is kept however long it
// is open, also where nothing but a request tells that it works, and where
// client-go hides it behind a wrapper of its own.
func TestConnectionThatGotReadyOutlivesTheBound(t *testing.T) {
	const bound, longer = 800 * ms, time.Second
	harden := map[string]func(*rest.Config) (*rest.Config, error){ // without hedges, which open connections when the machine is slow
		"lock": func(c *rest.Config) (*rest.Config, error) {
			return Harden(c, Budget{Answer: bound, Hedge: -1, DialHedge: -1})
		},
		"traffic": func(c *rest.Config) (*rest.Config, error) { return HardenTraffic(c, bound) },
	}
	authority := newAuthority(t, "proxies")
	identity := authority.pair(t, "proxy")
	directory := t.TempDir()
	certificate, key := authority.issue(t, "client")
	cert := rest.TLSClientConfig{CAData: authority.pem(), CertFile: filepath.Join(directory, "cert"), KeyFile: filepath.Join(directory, "key")}
	write(t, cert.CertFile, certificate)
	write(t, cert.KeyFile, key)
	type lazy struct{ net.Conn } // hides the connection, and makes its address anew
	for _, scheme := range append([]string{"none"}, proxySchemes...) {
		for name, harden := range harden {
			for kind, change := range map[string]func(*rest.Config){
				"":                   func(*rest.Config) {},
				", certificate file": func(c *rest.Config) { c.TLSClientConfig = cert },
				", tunnel": func(c *rest.Config) {
					c.TLSClientConfig = cert
					c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
						conn, err := new(net.Dialer).DialContext(ctx, network, address)
						return &elsewhere{Conn: lazy{conn}}, err
					}
				},
			} {
				if kind != "" && scheme != "none" && scheme != "socks5" {
					continue // what is below a proxy of HTTP matters as little as below TLS
				}
				for _, plain := range []bool{false, true} {
					if plain && (scheme == "http" || scheme == "https" || kind == ", certificate file") {
						continue // that proxy only leads to TLS, which the certificate is for
					}
					t.Run(scheme+", "+name+kind+map[bool]string{true: ", no TLS", false: ""}[plain], func(t *testing.T) {
						t.Parallel()
						slow := func(w http.ResponseWriter, request *http.Request) {
							if request.URL.Path == "/slow" {
								_ = http.NewResponseController(w).Flush()
								select {
								case <-time.After(longer):
								case <-request.Context().Done():
								}
							}
							hello(w, request)
						}
						inARound(t, func(round *assert.CollectT) {
							server, opened := newServerOf(t, plain, identity, slow)
							config := &rest.Config{Host: server, TLSClientConfig: rest.TLSClientConfig{CAData: authority.pem()}}
							change(config)
							if scheme != "none" {
								config = newDetour(t, scheme, &identity).behind(config)
							}
							hardened, err := harden(config)
							require.NoError(round, err)
							client := clientFor(t, hardened)
							fetch(round, client, server)
							slowly := fetch(round, client, server+"/slow?watch=true")
							assert.Contains(round, slowly, "hello", "a stream goes on beyond the bound")
							pause := time.NewTimer(longer) // a connection that is idle meanwhile
							<-pause.C
							fetch(round, client, server)
							assert.EqualValues(round, 1, opened.Load(), "one connection served all")
						})
					})
				}
			}
		}
	}
}

// elsewhere is a connection that knows its address by another name each time.
type elsewhere struct{ net.Conn }

func (*elsewhere) LocalAddr() net.Addr { return tunnelAddr{new(int)} }

type tunnelAddr struct{ *int }

func (tunnelAddr) Network() string { return "tunnel" }
func (tunnelAddr) String() string  { return "tunnel" }

// newServerOf starts a server with a certificate for 127.0.0.1, or without TLS.
func newServerOf(t *testing.T, plain bool, identity tls.Certificate, handler http.HandlerFunc) (base string, opened *atomic.Int32) {
	t.Helper()
	opened = new(atomic.Int32)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: handler, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if plain {
			_ = server.Serve(listener)
			return
		}
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{identity}, MinVersion: tls.VersionTLS12}
		_ = server.ServeTLS(listener, "", "")
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	if plain {
		return "http://" + listener.Addr().String(), opened
	}
	return "https://" + listener.Addr().String(), opened
}
