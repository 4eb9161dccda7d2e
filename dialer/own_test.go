package dialer

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// mapConn is a connection of a kind that can be nil without being a pointer.
type mapConn map[string]net.Conn

func (mapConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (mapConn) Write([]byte) (int, error)        { return 0, io.EOF }
func (mapConn) Close() error                     { return nil }
func (mapConn) LocalAddr() net.Addr              { return nil }
func (mapConn) RemoteAddr() net.Addr             { return nil }
func (mapConn) SetDeadline(time.Time) error      { return nil }
func (mapConn) SetReadDeadline(time.Time) error  { return nil }
func (mapConn) SetWriteDeadline(time.Time) error { return nil }

func TestNilInTheGuiseOfAConnectionIsAnError(t *testing.T) {
	for name, nothing := range map[string]net.Conn{"nil": nil, "*net.TCPConn": (*net.TCPConn)(nil), "a map": mapConn(nil)} {
		for counted, meter := range map[string]*Meter{"": nil, ", counted": new(Meter)} {
			t.Run(name+counted, func(t *testing.T) {
				d := &Dialer{Hedge: -1, Meter: meter, Dial: func(context.Context, string, string) (net.Conn, error) { return nothing, nil }}
				_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1")
				require.ErrorContains(t, err, "neither a connection nor an error")
			})
		}
	}
}

func TestConnectionThatComesWithAnErrorIsClosed(t *testing.T) {
	var closes atomic.Int32
	d := &Dialer{Hedge: -1, Dial: func(context.Context, string, string) (net.Conn, error) {
		return closeCounter{closes: &closes}, errBroken
	}}
	_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	require.ErrorIs(t, err, errBroken)
	assert.EqualValues(t, 1, closes.Load())
}

func TestSocketsAreTheUsersWithoutADialOfHis(t *testing.T) {
	server, _ := newServer(t, true, hello)
	for name, harden := range map[string]func(*rest.Config, ...Option) (*rest.Config, error){
		"lock": func(c *rest.Config, o ...Option) (*rest.Config, error) {
			return Harden(c, Budget{Answer: 20 * time.Second}, o...)
		},
		"traffic": func(c *rest.Config, o ...Option) (*rest.Config, error) { return HardenTraffic(c, 20*time.Second, o...) },
	} {
		t.Run(name, func(t *testing.T) {
			var controlled atomic.Int32
			control := func(_ context.Context, network, address string, c syscall.RawConn) error {
				controlled.Add(1)
				assert.Equal(t, server.Listener.Addr().String(), address)
				assert.Equal(t, "tcp4", network)
				assert.NotNil(t, c)
				return nil
			}
			var meter Meter
			from := make(chan net.Addr, 8)
			options := []Option{WithMeter(&meter), WithControl(control), WithLocalAddr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)})}
			hardened, err := harden(newConfig(server), options...)
			require.NoError(t, err)
			client := clientFor(t, hardened)
			server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
				address, _ := net.ResolveTCPAddr("tcp", request.RemoteAddr)
				from <- address
				hello(w, request)
			})
			get(t, client, server.URL)
			assert.Equal(t, "127.0.0.9", (<-from).(*net.TCPAddr).IP.String())
			assert.EqualValues(t, meter.Stats().Opened, controlled.Load())

			own := newConfig(server)
			own.Dial = new(net.Dialer).DialContext
			_, err = harden(own, WithControl(control))
			require.ErrorContains(t, err, "Control and Dial are both set")
			_, err = harden(own, WithLocalAddr(&net.TCPAddr{}))
			require.ErrorContains(t, err, "LocalAddr")
			own = &rest.Config{Host: server.URL, Transport: &http.Transport{DialContext: new(net.Dialer).DialContext}}
			_, err = harden(own, WithControl(control))
			require.ErrorContains(t, err, "Control and Dial are both set")
		})
	}
}

func TestErrorOfControlFailsTheDial(t *testing.T) {
	_, listeners := samePort(t, "127.0.0.1")
	d := &Dialer{Hedge: -1, Control: func(context.Context, string, string, syscall.RawConn) error { return errBroken }}
	_, err := d.DialContext(t.Context(), "tcp", listeners[0].Addr().String())
	require.ErrorIs(t, err, errBroken)
	_, err = (&Dialer{Dial: d.DialContext, Control: d.Control}).DialContext(t.Context(), "tcp", "127.0.0.1:1")
	require.ErrorContains(t, err, "Control and Dial are both set")
}

func TestLocalAddressChoosesTheFamily(t *testing.T) {
	port, _ := samePort(t, "127.0.0.1", "::1")
	for from, to := range map[string]string{"127.0.0.1": "127.0.0.1", "::1": "::1"} {
		d := &Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Resolver: newNames(t, "127.0.0.1", "::1").resolver()}
		for range 3 {
			assert.Equal(t, to, dialHost(t, d, apiName+":"+port))
		}
	}
}

// What a clone of a transport does not have is still there.
func TestRegisteredProtocolsAreKept(t *testing.T) {
	server, _ := newServer(t, true, hello)
	for name, harden := range within {
		t.Run(name, func(t *testing.T) {
			theirs := server.Client().Transport.(*http.Transport).Clone()
			theirs.RegisterProtocol("memory", roundTripFunc(func(request *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("from memory")), ContentLength: 11, Request: request}, nil
			}))
			hardened, err := harden(&rest.Config{Host: server.URL, Transport: theirs}, 20*time.Second)
			require.NoError(t, err)
			client := clientFor(t, hardened)
			assert.Equal(t, "from memory", get(t, client, "memory://somewhere"))
			assert.Contains(t, get(t, client, server.URL), "hello")
		})
	}
}

func TestLimitOfConnectionsIsKeptOrRefused(t *testing.T) {
	budget := Budget{Answer: 20 * time.Second}.WithDefaults()
	config := func(most int) *rest.Config {
		return &rest.Config{Host: "https://192.0.2.1", Transport: &http.Transport{MaxConnsPerHost: most}}
	}
	_, err := Harden(config(budget.attempts()-1), budget)
	require.ErrorContains(t, err, "MaxConnsPerHost")
	require.NotErrorIs(t, err, ErrOpaqueTransport)
	hardened, err := Harden(config(budget.attempts()), budget)
	require.NoError(t, err)
	assert.Equal(t, budget.attempts(), sockets(hardened.Transport).MaxConnsPerHost)
	hardened, err = HardenTraffic(config(1), time.Second)
	require.NoError(t, err)
	assert.Equal(t, 1, sockets(hardened.Transport).MaxConnsPerHost)
}

// A connection may make its address anew whenever it is asked for it.
func TestClosedConnectionIsForgottenWhateverItsAddress(t *testing.T) {
	var meter Meter
	d := &Dialer{Meter: &meter, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		return &renamed{Conn: ours}, theirs.Close()
	}}
	for range 100 {
		conn, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
		require.NoError(t, err)
		assert.NotNil(t, meter.find(struct{ net.Conn }{conn}), "it is known behind a wrapper")
		require.NoError(t, conn.Close())
	}
	assert.Empty(t, meter.open)
	assert.EqualValues(t, 100, meter.Stats().Opened)
}

type renamed struct{ net.Conn }

func (*renamed) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// A transport that nobody holds any more closes its idle connections.
func TestDroppedTransportsCloseTheirConnections(t *testing.T) {
	var open atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	plain := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	plain.Config.ConnState = server.Config.ConnState
	plain.Start()
	t.Cleanup(plain.Close)

	budget := Budget{Answer: 20 * time.Second, Hedge: -1, DialHedge: -1}
	clients := map[string]func(t *testing.T) (*http.Client, string){
		"Transport": func(*testing.T) (*http.Client, string) {
			return &http.Client{Transport: &Transport{Budget: budget}}, plain.URL
		},
		"Transport with a Meter": func(*testing.T) (*http.Client, string) {
			return &http.Client{Transport: &Transport{Budget: budget, Meter: new(Meter)}}, plain.URL
		},
	}
	for name, harden := range within {
		for whose, config := range map[string]func() *rest.Config{
			"client-go's": func() *rest.Config { return newConfig(server) },
			"theirs": func() *rest.Config {
				return &rest.Config{Host: server.URL, Transport: server.Client().Transport.(*http.Transport).Clone()}
			},
		} {
			clients[name+", "+whose] = func(t *testing.T) (*http.Client, string) {
				hardened, err := harden(config(), 20*time.Second)
				require.NoError(t, err)
				client, err := rest.HTTPClientFor(hardened)
				require.NoError(t, err)
				return client, server.URL
			}
		}
	}
	for name, make := range clients {
		t.Run(name, func(t *testing.T) {
			func() {
				client, url := make(t)
				for range 3 {
					get(t, client, url)
				}
				assert.Positive(t, open.Load())
				runtime.KeepAlive(client)
			}()
			assert.Eventually(t, func() bool {
				runtime.GC()
				return open.Load() == 0
			}, 20*time.Second, 10*ms)
		})
	}
}
