package contender

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/dialer"
)

func TestAPeerIsConfiguredByItsEnvironment(t *testing.T) {
	for peer, env := range map[string][]string{
		"client-go":          {"HOLDFAST_LAB_CONTENDER=1"},
		"client-go-http1":    {"HOLDFAST_LAB_CONTENDER=1", "DISABLE_HTTP2=true"},
		"client-go-pings-2s": {"HOLDFAST_LAB_CONTENDER=1", "HTTP2_READ_IDLE_TIMEOUT_SECONDS=2", "HTTP2_PING_TIMEOUT_SECONDS=2"},
	} {
		o := good()
		o.Peer = peer
		_, _, got, err := Command(o)
		require.NoError(t, err)
		assert.Equal(t, env, got, peer)
	}
}

// What client-go makes of the variable: without it this server is spoken to in
// HTTP/2.
func TestClientGoHTTP1SpeaksHTTP1(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string
	}{{clientGo.env, "HTTP/2.0"}, {clientGoHTTP1.env, "HTTP/1.1"}} {
		for _, pair := range c.env {
			name, value, _ := strings.Cut(pair, "=")
			t.Setenv(name, value)
		}
		var proto string
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proto = r.Proto }))
		server.EnableHTTP2 = true
		server.StartTLS()
		client, err := rest.HTTPClientFor(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{
			Insecure: true, ServerName: c.want, // client-go keeps a transport for each
		}})
		require.NoError(t, err)
		answer, err := client.Get(server.URL)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		client.CloseIdleConnections()
		server.Close()
		assert.Equal(t, c.want, proto)
	}
}

func TestAPeerRefusesDurationsThatItCannotKeep(t *testing.T) {
	quick := Timing{time.Second, 700 * time.Millisecond, 200 * time.Millisecond}
	short := Timing{3 * time.Second, 2 * time.Second, 500 * time.Millisecond}
	broken := Timing{1500 * time.Millisecond, time.Second, 200 * time.Millisecond}
	eager := Timing{3 * time.Second, 2 * time.Second, 1700 * time.Millisecond} // 1700 ms × 1.2 > 2 s
	tiny := Timing{300 * time.Millisecond, 200 * time.Millisecond, 50 * time.Millisecond}
	upside := Timing{2 * time.Second, 3 * time.Second, 500 * time.Millisecond}
	for peer, refused := range map[string]map[Timing]string{
		"client-go":                        {broken: "whole second", eager: "RetryPeriod", tiny: "whole second", upside: "RenewDeadline 3s"},
		"client-go-http1":                  {broken: "whole second", eager: "RetryPeriod", tiny: "whole second", upside: "RenewDeadline 3s"},
		"client-go-pings-2s":               {broken: "whole second", eager: "RetryPeriod", tiny: "whole second", upside: "RenewDeadline 3s"},
		"controller-runtime":               {broken: "whole second", eager: "RetryPeriod", tiny: "whole second", upside: "RenewDeadline 3s"},
		"controller-runtime-holdfast-lock": {broken: "whole second", eager: "RetryPeriod", tiny: "whole second", upside: "RenewDeadline 3s"},
		"etcd":                             {broken: "whole seconds", tiny: "at least one"},
		"holdfast":                         {tiny: "at least 500ms", upside: "RenewDeadline = 3s"},
		"holdfast-fresh":                   {tiny: "at least 500ms", upside: "RenewDeadline = 3s"},
	} {
		for _, d := range []Timing{quick, short, broken, eager, tiny, upside} {
			err := Refuses(peer, d)
			if says := refused[d]; says != "" {
				assert.ErrorContains(t, err, says, "%s at %v", peer, d)
			} else {
				assert.NoError(t, err, "%s at %v", peer, d)
			}
		}
	}
}

func TestEveryPeerSaysWhatItIs(t *testing.T) {
	for _, name := range Peers() {
		p := peers[name]
		assert.NotNil(t, p.refuses, name)
		assert.NotEqual(t, p.direct == nil, p.contend == nil, "%s: one of contend and direct", name)
		assert.Equal(t, name == "etcd", !UsesAPI(name), name)
	}
	assert.True(t, HasModes("holdfast"))
	assert.False(t, HasModes("holdfast-fresh"), "its mode is its name")
	o := good()
	o.Peer, o.Mode = "holdfast-fresh", dialer.NewConnections
	assert.ErrorContains(t, o.Validate(), "-mode new-connections")
}

// An etcd that cannot be reached is waited for, as an API is, until the
// contender is told to stop.
func TestAnEtcdThatIsAwayIsWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	require.NoError(t, err)
	defer listener.Close()
	ctx, cancel := context.WithCancel(t.Context())
	o := good()
	o.Peer, o.Etcd = "etcd", "http://"+listener.Addr().String()
	var log event.Log
	done := make(chan struct{})
	go func() {
		defer close(done)
		code, err := run(ctx, o, &rest.Config{}, event.NewWriter(log.Lines(o.Identity)))
		assert.NoError(t, err)
		assert.Equal(t, ExitOK, code)
	}()
	conn, err := listener.Accept()
	require.NoError(t, err)
	cancel()
	<-done
	require.NoError(t, conn.Close())
	for _, e := range log.Events() {
		assert.NotEqual(t, event.Leading, e.What)
	}
}
