package scenario

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatComesAfterTheHeldBackTimeReachesNobody(t *testing.T) {
	begun := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return begun.Add(d) }
	var h holdback
	due, ever := h.answer(begun)
	assert.Equal(t, begun, due)
	assert.True(t, ever)
	assert.True(t, h.request(begun))

	h.begin(2 * time.Second)
	assert.True(t, h.request(at(time.Hour)), "there was no answer yet")
	for _, c := range []struct {
		arrives, due time.Duration
		passes       bool
	}{
		{arrives: time.Minute, due: time.Minute + 2*time.Second, passes: true},
		{arrives: time.Minute + time.Second, due: time.Minute + 3*time.Second, passes: true},
		{arrives: time.Minute + 2*time.Second},
		{arrives: time.Hour},
	} {
		due, ever := h.answer(at(c.arrives))
		assert.Equal(t, c.passes, ever, "answer after %v", c.arrives)
		assert.Equal(t, c.passes, h.request(at(c.arrives)), "request after %v", c.arrives)
		if c.passes {
			assert.Equal(t, at(c.due), due)
		}
	}
}

func TestAnswersThatLagAreAllLateAndNoneIsLost(t *testing.T) {
	begun := time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)
	var h holdback
	h.begin(time.Second)
	h.lag(2 * time.Second)
	for _, arrives := range []time.Duration{0, time.Second, 2 * time.Second, time.Hour} {
		due, ever := h.answer(begun.Add(arrives))
		assert.True(t, ever, "answer after %v", arrives)
		assert.Equal(t, begun.Add(arrives+2*time.Second), due)
		assert.True(t, h.request(begun.Add(arrives)), "request after %v", arrives)
	}
	h.begin(time.Second)
	h.answer(begun)
	assert.False(t, h.request(begun.Add(time.Hour)), "it lags no more")
}

func TestLatenessGrowsWithTheLease(t *testing.T) {
	assert.Equal(t, 3*time.Second, lateness(Long))
	assert.Equal(t, 600*time.Millisecond, lateness(Short))
}

// pipes is a listener in memory.
type pipes struct {
	net.Listener
	accept chan net.Conn
}

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p.accept
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error {
	close(p.accept)
	return nil
}

func TestARelayHoldsBackAnAnswerAndThenFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := pipes{accept: make(chan net.Conn)}
		f := forward(listener, func(context.Context) (net.Conn, error) {
			server, far := net.Pipe()
			go func() { // a server that echoes
				_, _ = io.Copy(far, far)
				_ = far.Close()
			}()
			return server, nil
		})
		client, near := net.Pipe()
		listener.accept <- near
		begun := time.Now()
		heard := func(patience time.Duration) (string, time.Duration, error) {
			require.NoError(t, client.SetReadDeadline(time.Now().Add(patience)))
			p := make([]byte, 16)
			n, err := client.Read(p)
			return string(p[:n]), time.Since(begun), err
		}
		say := func(word string) {
			_, err := client.Write([]byte(word))
			require.NoError(t, err)
			synctest.Wait()
		}

		say("at once")
		word, after, err := heard(time.Minute)
		require.NoError(t, err)
		assert.Equal(t, "at once", word)
		assert.Zero(t, after)

		f.holdBack(2 * time.Second)
		say("late")
		word, after, err = heard(time.Minute)
		require.NoError(t, err)
		assert.Equal(t, "late", word)
		assert.Equal(t, 2*time.Second, after)

		say("never")
		_, _, err = heard(time.Hour)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is open, and silent")
		require.NoError(t, f.close())
		_, err = client.Write([]byte("nobody"))
		assert.ErrorIs(t, err, io.ErrClosedPipe, "closing the relay ends its connections")
	})
}
