package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func echo(conn *net.TCPConn) { _, _ = io.Copy(conn, conn) }

// roundTrip sends text and expects it back.
func roundTrip(t assert.TestingT, conn net.Conn, text string) bool {
	if _, err := io.WriteString(conn, text); !assert.NoError(t, err) {
		return false
	}
	answer := make([]byte, len(text))
	_, err := io.ReadFull(conn, answer)
	return assert.NoError(t, err) && assert.Equal(t, text, string(answer))
}

func TestBytesGoBothWaysUntilBothSidesHaveFinished(t *testing.T) {
	p := play(t, asItIs, server(t, echo))
	conn := p.dial()
	roundTrip(t, conn, "hello")
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var writing sync.WaitGroup
	writing.Go(func() {
		_, err := conn.Write(large)
		assert.NoError(t, err)
		assert.NoError(t, conn.CloseWrite())
	})
	back, err := io.ReadAll(conn)
	writing.Wait()
	require.NoError(t, err, "an end, and no reset")
	assert.True(t, bytes.Equal(large, back))
	p.until(reasonDone, 1)
	assert.EqualValues(t, len(large)+5, p.counts.up.Load())
	assert.EqualValues(t, len(large)+5, p.counts.down.Load())
	assert.Zero(t, p.counts.open.Load())
}

func TestTLSGoesThroughUntouched(t *testing.T) {
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	api.EnableHTTP2 = true
	api.StartTLS()
	defer api.Close()
	p := play(t, asItIs, api.Listener.Addr().String())
	transport := api.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig = transport.TLSClientConfig.Clone()
	transport.TLSClientConfig.ServerName = "example.com" // as with hostAliases: the name is the server's, the address the relay's
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("https://" + p.address)
	require.NoError(t, err)
	defer response.Body.Close()
	proto, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/2.0", string(proto))
	assert.Equal(t, api.Certificate().Raw, response.TLS.PeerCertificates[0].Raw, "its own certificate")
}

func TestAConnectionMayBeHalfClosed(t *testing.T) {
	t.Run("by the program", func(t *testing.T) {
		p := play(t, asItIs, server(t, func(conn *net.TCPConn) {
			asked, err := io.ReadAll(conn)
			assert.NoError(t, err)
			for _, word := range []string{"heard ", string(asked)} {
				_, err = io.WriteString(conn, word)
				assert.NoError(t, err)
			}
		}))
		conn := p.dial()
		_, err := io.WriteString(conn, "all")
		require.NoError(t, err)
		require.NoError(t, conn.CloseWrite())
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Equal(t, "heard all", string(answer))
		p.until(reasonDone, 1)
	})
	t.Run("by the server", func(t *testing.T) {
		heard := make(chan string, 1)
		p := play(t, asItIs, server(t, func(conn *net.TCPConn) {
			assert.NoError(t, conn.CloseWrite())
			said, err := io.ReadAll(conn)
			assert.NoError(t, err)
			heard <- string(said)
		}))
		conn := p.dial()
		end, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Empty(t, end)
		_, err = io.WriteString(conn, "more")
		require.NoError(t, err)
		require.NoError(t, conn.CloseWrite())
		assert.Equal(t, "more", <-heard)
		p.until(reasonDone, 1)
	})
}

// silently handles a connection by reading what comes and saying nothing.
func silently(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) }

func TestWhatCarriesNothingIsEnded(t *testing.T) {
	const short = 100 * time.Millisecond
	for why, c := range map[reason]struct {
		change func(*options)
		send   func(*net.TCPConn) error
	}{
		reasonIdle:       {func(o *options) { o.limits.idle = short }, func(*net.TCPConn) error { return nil }},
		reasonHalfClosed: {func(o *options) { o.limits.halfClosed = short }, (*net.TCPConn).CloseWrite},
		reasonAnswer: {func(o *options) { o.limits.answer = short }, func(conn *net.TCPConn) error {
			_, err := io.WriteString(conn, "hello?")
			return err
		}},
	} {
		t.Run(string(why), func(t *testing.T) {
			mute := make(chan struct{})
			defer close(mute)
			p := play(t, c.change, server(t, func(conn *net.TCPConn) { silently(conn); <-mute }))
			conn := p.dial()
			require.NoError(t, c.send(conn))
			_, err := conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, syscall.ECONNRESET, "the program must not take it for an end")
			p.until(why, 1)
		})
	}
}

func TestAnAnswerThatComesKeepsTheConnection(t *testing.T) {
	p := play(t, func(o *options) { o.limits.answer = 300 * time.Millisecond }, server(t, echo))
	// A machine that pauses while an answer is due takes a round away.
	require.EventuallyWithT(t, func(round *assert.CollectT) {
		conn := p.dial()
		for range 8 {
			time.Sleep(50 * time.Millisecond)
			require.True(round, roundTrip(round, conn, "renew"))
		}
		time.Sleep(500 * time.Millisecond) // nothing is asked, so nothing is due
		require.True(round, roundTrip(round, conn, "renew"))
	}, time.Minute, often)
}

func TestAResetIsPassedOn(t *testing.T) {
	t.Run("of the server", func(t *testing.T) {
		p := play(t, asItIs, server(t, func(conn *net.TCPConn) {
			_, _ = conn.Read(make([]byte, 5))
			_ = conn.SetLinger(0)
		}))
		conn := p.dial()
		_, err := io.WriteString(conn, "hello")
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		p.until(reasonServer, 1)
	})
	t.Run("of the program", func(t *testing.T) {
		heard := make(chan error, 1)
		p := play(t, asItIs, server(t, func(conn *net.TCPConn) {
			_, err := io.Copy(conn, conn)
			heard <- err
		}))
		conn := p.dial()
		require.True(t, roundTrip(t, conn, "hello"))
		require.NoError(t, conn.SetLinger(0))
		require.NoError(t, conn.Close())
		require.ErrorIs(t, <-heard, syscall.ECONNRESET)
		p.until(reasonClient, 1)
	})
}

func TestAServerThatIsNotThereIsAReset(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	p := play(t, asItIs, listener.Addr().String())
	_, err = p.dial().Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	p.until(reasonDial, 1)
}

func TestThereAreNoMoreConnectionsThanAllowed(t *testing.T) {
	p := play(t, func(o *options) { o.connections = 2 }, server(t, echo))
	first, second := p.dial(), p.dial()
	require.True(t, roundTrip(t, first, "a"))
	require.True(t, roundTrip(t, second, "b"))
	// The relay may be so quick that the dial sees the reset, before there is a read.
	conn, err := net.Dial("tcp", p.address)
	if err == nil {
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(soon)))
		_, err = conn.Read(make([]byte, 1))
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.Eventually(t, func() bool { return p.counts.refused.Load() == 1 }, soon, often)
	require.NoError(t, first.Close())
	p.until(reasonDone, 1)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", p.address)
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(soon))
		return roundTrip(new(assert.CollectT), conn, "c")
	}, soon, often)
}

func TestManyConnections(t *testing.T) {
	const number = 200
	p := play(t, func(o *options) { o.connections = number }, server(t, echo))
	var clients sync.WaitGroup
	for i := range number {
		clients.Go(func() {
			conn, err := net.Dial("tcp", p.address)
			if !assert.NoError(t, err) {
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(soon))
			for range 10 {
				roundTrip(t, conn, strings.Repeat(fmt.Sprintf("%03d", i), 1000))
			}
		})
	}
	clients.Wait()
	p.until(reasonDone, number)
	require.Eventually(t, func() bool { return p.counts.open.Load() == 0 }, soon, often)
	assert.Zero(t, p.counts.refused.Load())
}

func TestTheEndLetsConnectionsFinish(t *testing.T) {
	p := play(t, func(o *options) { o.drain = time.Hour }, server(t, echo))
	conn := p.dial()
	require.True(t, roundTrip(t, conn, "before"))
	p.stop()
	require.Eventually(t, func() bool {
		late, err := net.Dial("tcp", p.address)
		if err == nil {
			_ = late.Close()
		}
		return err != nil
	}, soon, often, "nothing more is accepted")
	require.True(t, roundTrip(t, conn, "after"))
	require.NoError(t, conn.CloseWrite())
	p.ended()
}

func TestWhatDoesNotFinishIsReset(t *testing.T) {
	p := play(t, func(o *options) { o.drain = 100 * time.Millisecond }, server(t, echo))
	conn := p.dial()
	require.True(t, roundTrip(t, conn, "before"))
	p.stop()
	_, err := conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	p.ended()
	p.until(reasonDrain, 1)
}
