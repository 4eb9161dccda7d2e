package front

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const soon = 10 * time.Second

// rig is a front before a server of the test's, and clients of both protocols.
type rig struct {
	front *Front
	at    string
	pool  *x509.CertPool
	alice tls.Certificate
}

// issue signs a certificate with itself, which the pool then verifies.
func issue(t *testing.T, pool *x509.CertPool, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func newRig(t *testing.T, server http.HandlerFunc) *rig {
	t.Helper()
	behind := httptest.NewServer(server)
	t.Cleanup(behind.Close)
	to, err := url.Parse(behind.URL)
	require.NoError(t, err)
	upstream := &http.Transport{}
	t.Cleanup(upstream.CloseIdleConnections)
	r := &rig{pool: x509.NewCertPool()}
	r.alice = issue(t, r.pool, "alice")
	address := "127.0.0.1:0"
	r.front, err = New(Options{
		Listen: func() (net.Listener, error) {
			l, err := net.Listen("tcp", address)
			if err == nil {
				address = l.Addr().String()
			}
			return l, err
		},
		Certificate: issue(t, r.pool, "front"), ClientCAs: r.pool, Upstream: upstream, URL: to,
		Tokens: map[string]string{"good": "bob"},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.front.Close()) })
	r.at = address
	return r
}

// client speaks HTTP/1.1 or HTTP/2 with the front, as alice if it has her
// certificate.
func (r *rig) client(t *testing.T, http2, certified bool) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: r.pool}
	if certified {
		config.Certificates = []tls.Certificate{r.alice}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{TLSClientConfig: config, Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: soon}
}

// get asks, and returns the status and the body.
func (r *rig) get(t *testing.T, c *http.Client, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.at+"/path?query=1", nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := c.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer, string(body)
}

func tellsWho(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, strings.Join(r.Header["Impersonate-User"], "+")+" "+r.Header.Get("Authorization")+r.URL.String())
}

func bothProtocols(t *testing.T, claim func(t *testing.T, http2 bool)) {
	t.Run("HTTP1", func(t *testing.T) { claim(t, false) })
	t.Run("HTTP2", func(t *testing.T) { claim(t, true) })
}

func TestAUserIsWhoTheCertificateOrTheTokenSays(t *testing.T) {
	bothProtocols(t, func(t *testing.T, http2 bool) {
		r := newRig(t, tellsWho)
		answer, body := r.get(t, r.client(t, http2, true), "Impersonate-User", "mallory", "Impersonate-Group", "system:masters")
		assert.Equal(t, "alice /path?query=1", body)
		assert.Equal(t, http2, answer.ProtoMajor == 2)

		nobody := r.client(t, http2, false)
		_, body = r.get(t, nobody, "Authorization", "Bearer good")
		assert.Equal(t, "bob /path?query=1", body, "the token itself goes no further")
		answer, _ = r.get(t, nobody)
		assert.Equal(t, http.StatusUnauthorized, answer.StatusCode)
		answer, _ = r.get(t, nobody, "Authorization", "Bearer bad")
		assert.Equal(t, http.StatusUnauthorized, answer.StatusCode)

		r.front.SetTokens(map[string]string{"bad": "eve"})
		_, body = r.get(t, nobody, "Authorization", "Bearer bad")
		assert.Equal(t, "eve /path?query=1", body)
		answer, _ = r.get(t, nobody, "Authorization", "Bearer good")
		assert.Equal(t, http.StatusUnauthorized, answer.StatusCode)
	})
}

func TestALateAnswerIsLateOnce(t *testing.T) {
	const late = time.Second
	bothProtocols(t, func(t *testing.T, http2 bool) {
		r := newRig(t, tellsWho)
		c := r.client(t, http2, true)
		r.get(t, c)
		r.front.Set(Fault{Late: late})
		begun := time.Now()
		r.get(t, c)
		took := time.Since(begun)
		assert.GreaterOrEqual(t, took, late)
		assert.Less(t, took, 2*late, "headers and body are late together")
	})
}

func TestAnAnswerThatHasBegunIsLateFromThenOn(t *testing.T) {
	const late = 300 * time.Millisecond
	more := make(chan string)
	r := newRig(t, func(w http.ResponseWriter, _ *http.Request) {
		for text := range more {
			_, _ = io.WriteString(w, text)
			_ = http.NewResponseController(w).Flush()
		}
	})
	next := func(text string) {
		t.Helper()
		select {
		case more <- text:
		case <-time.After(soon):
			require.Fail(t, "nobody asks")
		}
	}
	go next("a")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.at, nil)
	require.NoError(t, err)
	answer, err := r.client(t, true, true).Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	var b [1]byte
	_, err = io.ReadFull(answer.Body, b[:])
	require.NoError(t, err)

	r.front.Set(Fault{Late: late})
	begun := time.Now()
	next("b")
	_, err = io.ReadFull(answer.Body, b[:])
	require.NoError(t, err)
	assert.Equal(t, "b", string(b[:]))
	assert.GreaterOrEqual(t, time.Since(begun), late)
	close(more)
	_, err = io.ReadAll(answer.Body)
	require.NoError(t, err)
}

func TestARefusalNamesItsStatusAndWhenToComeBack(t *testing.T) {
	r := newRig(t, tellsWho)
	c := r.client(t, true, true)
	r.front.Set(Fault{Answer: Refuse(http.StatusTooManyRequests, 2*time.Second)})
	answer, body := r.get(t, c)
	assert.Equal(t, http.StatusTooManyRequests, answer.StatusCode)
	assert.Equal(t, "2", answer.Header.Get("Retry-After"))
	assert.Contains(t, body, `"code":429`)
	r.front.Set(Fault{Answer: Refuse(http.StatusServiceUnavailable, 0)})
	answer, _ = r.get(t, c)
	assert.Empty(t, answer.Header.Get("Retry-After"))
	require.NoError(t, r.front.Mend())
	answer, _ = r.get(t, c)
	assert.Equal(t, http.StatusOK, answer.StatusCode)
}

func TestAServerThatCannotBeReachedIsABadGateway(t *testing.T) {
	r := newRig(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	answer, _ := r.get(t, r.client(t, false, true))
	assert.Equal(t, http.StatusBadGateway, answer.StatusCode)
}

func TestAHandshakeIsLeftUnansweredUntilTheFaultEnds(t *testing.T) {
	r := newRig(t, tellsWho)
	r.front.Set(Fault{NoHandshake: true})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	raw, err := net.Dial("tcp", r.at)
	require.NoError(t, err, "TCP connects")
	defer raw.Close()
	config := &tls.Config{RootCAs: r.pool, ServerName: "127.0.0.1"}
	assert.ErrorIs(t, tls.Client(raw, config).HandshakeContext(ctx), context.DeadlineExceeded)

	held, err := net.Dial("tcp", r.at)
	require.NoError(t, err)
	defer held.Close()
	require.NoError(t, held.SetDeadline(time.Now().Add(soon)))
	require.Eventually(t, func() bool { // the front has accepted both
		r.front.conns.mu.Lock()
		defer r.front.conns.mu.Unlock()
		return len(r.front.conns.open) == 2
	}, soon, time.Millisecond)
	r.front.Set(Fault{})
	_, err = held.Read(make([]byte, 1))
	assert.Error(t, err)
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	r.get(t, r.client(t, false, true))
}

func TestARefusingFrontRefusesUntilItAccepts(t *testing.T) {
	r := newRig(t, tellsWho)
	c := r.client(t, false, true)
	r.get(t, c)
	require.NoError(t, r.front.Refuse())
	require.NoError(t, r.front.Refuse(), "twice is once")
	_, err := net.Dial("tcp", r.at)
	assert.ErrorIs(t, err, unix.ECONNREFUSED)
	r.get(t, c) // on the connection that it has
	require.NoError(t, r.front.Accept())
	require.NoError(t, r.front.Accept(), "twice is once")
	r.get(t, r.client(t, true, true))
}

func TestHangingUpIsAResetOrAnEnd(t *testing.T) {
	for name, reset := range map[string]bool{"reset": true, "end": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, tellsWho)
			c, err := tls.Dial("tcp", r.at, &tls.Config{RootCAs: r.pool})
			require.NoError(t, err)
			defer c.Close()
			// With data that it has not read, a kernel ends a connection by a reset.
			_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: front\r\n\r\n")
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 4096))
			require.NoError(t, err)
			r.front.HangUp(reset)
			raw := c.NetConn()
			require.NoError(t, raw.SetDeadline(time.Now().Add(soon)))
			_, err = io.Copy(io.Discard, raw)
			if reset {
				assert.ErrorIs(t, err, unix.ECONNRESET)
			} else {
				assert.NoError(t, err, "read to the end")
			}
		})
	}
}

func TestATrapSpringsOnceForItsClient(t *testing.T) {
	here := netip.MustParseAddr("127.0.0.1")
	bothProtocols(t, func(t *testing.T, http2 bool) {
		r := newRig(t, tellsWho)
		c := r.client(t, http2, true)
		sprung := make(chan struct{}, 8)
		r.front.Trap(netip.MustParseAddr("127.0.0.2"), Trap{At: AtRequest, Do: func() { sprung <- struct{}{} }})
		r.get(t, c)
		assert.Empty(t, sprung, "another's")
		r.front.Trap(here, Trap{At: AtRequest, Do: func() { sprung <- struct{}{} }})
		r.get(t, c)
		r.get(t, c)
		assert.Len(t, sprung, 1)
		r.front.Trap(here, Trap{At: MidBody, Do: func() { sprung <- struct{}{} }})
		r.get(t, c)
		r.get(t, c)
		assert.Len(t, sprung, 2)
		r.front.Trap(here, Trap{At: AtRequest, Do: func() { sprung <- struct{}{} }})
		require.NoError(t, r.front.Mend())
		r.get(t, c)
		assert.Len(t, sprung, 2, "mended")
	})
}

func TestInTheMiddleOfABodyHalfOfItHasArrived(t *testing.T) {
	bothProtocols(t, func(t *testing.T, http2 bool) {
		const text = "0123456789"
		r := newRig(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		waiting, goOn := make(chan struct{}), make(chan struct{})
		r.front.Trap(netip.MustParseAddr("127.0.0.1"), Trap{At: MidBody, Do: func() { close(waiting); <-goOn }})
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.at, nil)
		require.NoError(t, err)
		answer, err := r.client(t, http2, true).Do(request)
		require.NoError(t, err)
		defer answer.Body.Close()
		assert.EqualValues(t, len(text), answer.ContentLength)
		half := make([]byte, len(text)/2)
		_, err = io.ReadFull(answer.Body, half)
		require.NoError(t, err)
		assert.Equal(t, text[:5], string(half))
		select {
		case <-waiting:
		case <-time.After(soon):
			require.Fail(t, "the trap did not spring")
		}
		close(goOn)
		rest, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		assert.Equal(t, text[5:], string(rest))
	})
}
