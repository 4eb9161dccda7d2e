package dialer

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// closeCounter is a connection that counts its closing.
type closeCounter struct {
	net.Conn
	name   int32
	closes *atomic.Int32
}

func (c closeCounter) Close() error {
	c.closes.Add(1)
	return nil
}

func TestUnansweredDialGetsASibling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		d := &Dialer{Hedge: 100 * ms, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if n := dials.Add(1); n > 2 {
				return closeCounter{name: n}, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		start := time.Now()
		conn, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
		require.NoError(t, err)
		assert.EqualValues(t, 3, conn.(closeCounter).name)
		assert.Equal(t, 200*ms, time.Since(start))
		synctest.Wait()
	})
}

func TestSiblingThatConnectsLateIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, closes atomic.Int32
		d := &Dialer{Hedge: 100 * ms, Dial: func(context.Context, string, string) (net.Conn, error) {
			n := dials.Add(1)
			if n == 1 {
				time.Sleep(time.Second) // deaf to its context, too
			}
			return closeCounter{name: n, closes: &closes}, nil
		}}
		conn, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
		require.NoError(t, err)
		assert.EqualValues(t, 2, conn.(closeCounter).name)
		assert.Zero(t, closes.Load())
		time.Sleep(2 * time.Second)
		assert.EqualValues(t, 1, closes.Load(), "the loser's connection, not the winner's")
	})
}

func TestDialEndsWithinConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var underway, most atomic.Int32
		d := &Dialer{Connect: 5 * time.Second, Hedge: 100 * ms, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			most.Store(max(most.Load(), underway.Add(1)))
			defer underway.Add(-1)
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		start := time.Now()
		_, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
		assert.Equal(t, 5*time.Second, time.Since(start))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context had no part in it")
		var failure *Error
		require.ErrorAs(t, err, &failure)
		assert.True(t, failure.Timeout())
		assert.Equal(t, maxUnderway, failure.Tries)
		assert.EqualError(t, err, "dialer: dial tcp 192.0.2.1:443 failed after 8 attempts in 5s (bound 5s): i/o timeout")
		assert.EqualValues(t, maxUnderway, most.Load())
		synctest.Wait()
		assert.Zero(t, underway.Load())
	})
}

func TestRefusedDialIsTriedAgainAFewTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		var at []time.Duration
		start := time.Now()
		d := &Dialer{Hedge: 100 * ms, Dial: func(context.Context, string, string) (net.Conn, error) {
			at = append(at, time.Since(start))
			return nil, refused
		}}
		_, err := d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		assert.Equal(t, []time.Duration{0, 0, 100 * ms, 200 * ms}, at)
		assert.ErrorContains(t, err, "after 4 attempts")

		at = nil
		d.Hedge = -1
		_, err = d.DialContext(t.Context(), "tcp", "192.0.2.1:443")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		assert.Len(t, at, 1, "without siblings there is one dial")
	})
}

func TestDialWithoutHopeEndsAtOnce(t *testing.T) {
	for name, cause := range map[string]error{
		"no such host": &net.DNSError{Err: "no such host", IsNotFound: true},
		"bad address":  &net.AddrError{Err: "missing port"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Dialer{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, cause }}
			_, err := d.DialContext(t.Context(), "tcp", "nowhere")
			require.ErrorIs(t, err, cause)
			assert.ErrorContains(t, err, "after 1 attempt in")
		})
	}
}

func TestCancelledDialSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(300*ms, func() { cancel(reason) })
		d := &Dialer{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		_, err := d.DialContext(ctx, "tcp", "192.0.2.1:443")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, reason)
		synctest.Wait()
	})
}

func TestNegativeConnectIsAnError(t *testing.T) {
	_, err := (&Dialer{Connect: -1}).DialContext(t.Context(), "tcp", "127.0.0.1:1")
	require.ErrorContains(t, err, "Dialer.Connect is -1ns, it must not be negative")
}

func TestDialThatReturnsNothingIsAnError(t *testing.T) {
	d := &Dialer{Hedge: -1, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, nil }}
	_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	require.ErrorContains(t, err, "neither a connection nor an error")
}

func TestOtherNetworksAreDialledPlainly(t *testing.T) {
	path := t.TempDir() + "/socket"
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	conn, err := new(Dialer).DialContext(t.Context(), "unix", path)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}
