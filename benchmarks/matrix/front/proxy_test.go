package front

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newProxy puts a proxy before the rig's front, and returns its URL.
func newProxy(t *testing.T, r *rig, scheme string) (*Proxy, *url.URL) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := NewProxy(l, func() (net.Conn, error) { return net.Dial("tcp", r.at) })
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p, &url.URL{Scheme: scheme, Host: l.Addr().String()}
}

func bothKinds(t *testing.T, claim func(t *testing.T, scheme string, http2 bool)) {
	for _, scheme := range []string{"http", "socks5"} {
		t.Run(scheme, func(t *testing.T) {
			bothProtocols(t, func(t *testing.T, http2 bool) { claim(t, scheme, http2) })
		})
	}
}

func TestAProxyLeadsToItsServer(t *testing.T) {
	bothKinds(t, func(t *testing.T, scheme string, http2 bool) {
		r := newRig(t, tellsWho)
		_, at := newProxy(t, r, scheme)
		c := r.client(t, http2, true)
		transport := c.Transport.(*http.Transport)
		transport.Proxy = http.ProxyURL(at)
		transport.TLSClientConfig.ServerName = "127.0.0.1"
		_, body := (&rig{front: r.front, at: "somewhere.example:443"}).get(t, c)
		assert.Equal(t, "alice /path?query=1", body)
		_, body = (&rig{front: r.front, at: "198.51.100.1:443"}).get(t, c)
		assert.Equal(t, "alice /path?query=1", body, "by address")
	})
}

func TestASilentProxyAcceptsAndAnswersNothingUntilItIsMended(t *testing.T) {
	bothKinds(t, func(t *testing.T, scheme string, http2 bool) {
		r := newRig(t, tellsWho)
		p, at := newProxy(t, r, scheme)
		through := func() *http.Client {
			c := r.client(t, http2, true)
			c.Transport.(*http.Transport).Proxy = http.ProxyURL(at)
			return c
		}
		r.get(t, through())
		p.Silence()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+r.at, nil)
		require.NoError(t, err)
		_, err = through().Do(request)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		p.Mend()
		r.get(t, through())
	})
}

func TestAProxyOfOtherWishesHangsUp(t *testing.T) {
	r := newRig(t, tellsWho)
	_, at := newProxy(t, r, "http")
	for name, wish := range map[string]string{
		"no CONNECT": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"no HTTP":    "\x16\x03\x01",
		"SOCKS4":     "\x04\x01\x00\x50\x00\x00\x00\x01\x00",
		"bind":       "\x05\x01\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00",
		"IPv6":       "\x05\x01\x00\x05\x01\x00\x04" + "0123456789abcdef" + "\x00\x50",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", at.Host)
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, c.SetDeadline(time.Now().Add(soon)))
			_, err = c.Write([]byte(wish + "\r\n\r\n"))
			require.NoError(t, err)
			for b := make([]byte, 64); err == nil; {
				_, err = c.Read(b)
			}
			assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		})
	}
}
