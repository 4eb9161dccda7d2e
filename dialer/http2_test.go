package dialer

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"k8s.io/client-go/rest"
)

func TestTrafficKeepsHTTP2AndNoticesAFrozenPeer(t *testing.T) {
	const within = 3 * time.Second
	for name, configure := range map[string]func(*rest.Config, *http.Transport){
		"transport of client-go's": func(*rest.Config, *http.Transport) {},
		"transport of the user's": func(c *rest.Config, own *http.Transport) {
			c.Transport, c.TLSClientConfig = own, rest.TLSClientConfig{}
		},
		"the user's, with an http2.Transport of x/net": func(c *rest.Config, own *http.Transport) {
			c.Transport, c.TLSClientConfig = own, rest.TLSClientConfig{}
			own.TLSNextProto = nil
			_, err := http2.ConfigureTransports(own)
			assert.NoError(t, err)
		},
		"the user's, used before it": func(c *rest.Config, own *http.Transport) {
			c.Transport, c.TLSClientConfig = own, rest.TLSClientConfig{}
			response, err := (&http.Client{Transport: own}).Get(c.Host)
			if err == nil {
				_ = response.Body.Close()
			}
			own.CloseIdleConnections()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := newServer(t, true, func(w http.ResponseWriter, request *http.Request) {
				hello(w, request)
				if request.URL.Path == "/watch" {
					_ = http.NewResponseController(w).Flush()
					<-request.Context().Done()
				}
			})
			relay, config := behindRelay(t, server)
			own := server.Client().Transport.(*http.Transport).Clone()
			configure(config, own)
			hardened, err := HardenTraffic(config, within)
			require.NoError(t, err)
			client := clientFor(t, hardened)
			require.Equal(t, "hello over HTTP/2.0", get(t, client, config.Host))
			watch, err := client.Get(config.Host + "/watch")
			require.NoError(t, err)
			defer func() { _ = watch.Body.Close() }()
			require.Equal(t, 2, watch.ProtoMajor)
			_, err = watch.Body.Read(make([]byte, 64))
			require.NoError(t, err)

			relay.freeze()
			start := time.Now()
			_, err = watch.Body.Read(make([]byte, 64))
			require.Error(t, err, "the watch ends instead of waiting for ever")
			assert.Less(t, time.Since(start), within+slowMachine)
			require.Equal(t, "hello over HTTP/2.0", get(t, client, config.Host), "the next request has a new connection")
		})
	}
}

func TestTrafficOverHTTP1StaysHTTP1(t *testing.T) {
	server, _ := newServer(t, true, hello)
	config := newConfig(server)
	config.NextProtos = []string{"http/1.1"}
	hardened, err := HardenTraffic(config, 20*time.Second)
	require.NoError(t, err)
	assert.Equal(t, "hello over HTTP/1.1", get(t, clientFor(t, hardened), server.URL))
}

func TestPingsAreScaledToTheBound(t *testing.T) {
	transport := &http.Transport{HTTP2: &http.HTTP2Config{PingTimeout: time.Second, MaxConcurrentStreams: 7}}
	ping(transport, 12*time.Second)
	assert.Equal(t, 4*time.Second, transport.HTTP2.SendPingTimeout)
	assert.Equal(t, time.Second, transport.HTTP2.PingTimeout, "the user's own is tighter")
	assert.Equal(t, 12*time.Second, transport.HTTP2.WriteByteTimeout)
	assert.Equal(t, 12*time.Second, transport.TLSHandshakeTimeout)
	assert.Equal(t, 7, transport.HTTP2.MaxConcurrentStreams)
}

// What a user has set of pings, in the environment of client-go or on an
// http2.Transport of x/net, is no field of the transport that is hardened.
func TestTighterPingsOfTheUserStay(t *testing.T) {
	bounds := func(t *testing.T, config *rest.Config) *http.HTTP2Config {
		hardened, err := HardenTraffic(config, time.Minute) // pings after 20s, lost after 30s more
		require.NoError(t, err)
		client := clientFor(t, hardened)
		transport := sockets(client.Transport)
		require.NotNil(t, transport)
		return transport.HTTP2
	}
	server, _ := newServer(t, true, hello)
	t.Run("tighter in the environment", func(t *testing.T) {
		t.Setenv("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "3")
		t.Setenv("HTTP2_PING_TIMEOUT_SECONDS", "2")
		conf := bounds(t, newConfig(server))
		assert.Equal(t, 3*time.Second, conf.SendPingTimeout)
		assert.Equal(t, 2*time.Second, conf.PingTimeout)
	})
	t.Run("looser or none in the environment", func(t *testing.T) {
		t.Setenv("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "0")
		t.Setenv("HTTP2_PING_TIMEOUT_SECONDS", "70")
		conf := bounds(t, newConfig(server))
		assert.Equal(t, 20*time.Second, conf.SendPingTimeout)
		assert.Equal(t, 30*time.Second, conf.PingTimeout)
	})
	t.Run("on the user's transport", func(t *testing.T) {
		own := server.Client().Transport.(*http.Transport).Clone()
		own.TLSNextProto = nil
		outside, err := http2.ConfigureTransports(own)
		require.NoError(t, err)
		outside.ReadIdleTimeout, outside.PingTimeout, outside.WriteByteTimeout = 4*time.Second, time.Hour, 5*time.Second
		for range 3 { // the user's transport is as before
			conf := bounds(t, &rest.Config{Host: server.URL, Transport: own})
			assert.Equal(t, 4*time.Second, conf.SendPingTimeout)
			assert.Equal(t, 30*time.Second, conf.PingTimeout)
			assert.Equal(t, 5*time.Second, conf.WriteByteTimeout)
		}
		assert.Equal(t, "hello over HTTP/2.0", get(t, &http.Client{Transport: own}, server.URL))
		own.CloseIdleConnections()
	})
}
