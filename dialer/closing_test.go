package dialer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReasonFollowsWhatWasNoticedFirst(t *testing.T) {
	errno := func(e syscall.Errno) error { return os.NewSyscallError("read", e) }
	for name, c := range map[string]struct {
		known closing
		want  CloseReason
	}{
		"idle":                          {closing{won: true}, ByUs},
		"connected after a sibling":     {closing{}, LostDial},
		"lost, and reset since":         {closing{failure: errno(syscall.ECONNRESET)}, LostDial},
		"in its handshake":              {closing{won: true, handshaking: true}, Handshake},
		"peer left in the handshake":    {closing{won: true, handshaking: true, failure: io.EOF}, Handshake},
		"FIN":                           {closing{won: true, failure: io.EOF}, PeerClosed},
		"FIN in an answer":              {closing{won: true, failure: io.EOF, carries: true, begun: true}, PeerClosed},
		"FIN that was asked for":        {closing{won: true, failure: io.EOF, carries: true, begun: true, final: true}, ByUs},
		"FIN in place of an answer":     {closing{won: true, failure: io.EOF, carries: true, final: true}, PeerClosed},
		"FIN, then cancelled":           {closing{won: true, failure: io.EOF, carries: true, cause: endedOutrun}, PeerClosed},
		"RST":                           {closing{won: true, failure: errno(syscall.ECONNRESET)}, Reset},
		"write after RST":               {closing{won: true, failure: errno(syscall.EPIPE)}, Reset},
		"user timeout":                  {closing{won: true, failure: errno(syscall.ETIMEDOUT), carries: true}, TimedOut},
		"user timeout, host is gone":    {closing{won: true, failure: errno(syscall.EHOSTUNREACH)}, TimedOut},
		"no buffers":                    {closing{won: true, failure: errno(syscall.ENOBUFS)}, Failed},
		"outrun":                        {closing{won: true, carries: true, cause: endedOutrun}, LostHedge},
		"bound ran out":                 {closing{won: true, carries: true, cause: endedGivenUp}, GivenUp},
		"caller cancelled":              {closing{won: true, carries: true, begun: true, cause: context.Canceled}, GivenUp},
		"caller cancelled with a cause": {closing{won: true, carries: true, cause: errors.New("shutting down")}, GivenUp},
		"not to be kept":                {closing{won: true, carries: true, begun: true, cause: endedWell}, ByUs},
		"watch closed by its reader":    {closing{won: true, carries: true, begun: true}, ByUs},
		"attempt failed by itself":      {closing{won: true, carries: true}, Failed},
		"pings unanswered":              {closing{won: true, lost: time.Second, silent: time.Second}, TimedOut},
		"pings answered":                {closing{won: true, lost: time.Second, silent: time.Second - 1}, ByUs},
		"HTTP/1.1, long idle":           {closing{won: true, silent: time.Hour}, ByUs},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, c.known.reason()) })
	}
}

func TestCauseOfAnAttemptReadsAsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(endedOutrun)
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	require.ErrorIs(t, context.Cause(ctx), context.Canceled)
}

func TestAlertIsTheLastRecord(t *testing.T) {
	record := func(kind byte, length int) []byte {
		return append([]byte{kind, 3, 3, byte(length >> 8), byte(length)}, make([]byte, length)...)
	}
	for name, c := range map[string]struct {
		bytes []byte
		want  bool
	}{
		"nothing":              {nil, false},
		"less than a record":   {record(0x17, 19)[1:], false},
		"TLS 1.3":              {record(0x17, 19), true},
		"TLS 1.2, AES":         {record(0x15, 26), true},
		"TLS 1.2, ChaCha20":    {record(0x15, 18), true},
		"data, then an alert":  {append(record(0x17, 100), record(0x17, 19)...), true},
		"an alert, then data":  {append(record(0x17, 19), record(0x17, 100)...), false},
		"three bytes of data":  {record(0x17, 20), false},
		"TLS 1.2, short data":  {record(0x17, 26), false},
		"no TLS":               {[]byte("HTTP/1.1 200 OK\r\n\r\n........"), false},
		"handshake, not alert": {record(0x16, 19), false},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, c.want, alert(c.bytes)) })
	}
}

func TestCloseReasonsReadAsWords(t *testing.T) {
	text, err := json.Marshal(Stats{Closed: Closes{TimedOut: 2, ByUs: 1}}.Closed)
	require.NoError(t, err)
	assert.JSONEq(t, `{"by-us":1,"timed-out":2}`, string(text))
	var again Closes
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, Closes{TimedOut: 2, ByUs: 1}, again)
	assert.Equal(t, "map[by-us:1 timed-out:2]", fmt.Sprint(again))

	assert.Equal(t, "CloseReason(-1)", CloseReason(-1).String())
	_, err = CloseReason(99).MarshalText()
	require.ErrorContains(t, err, "close reason 99 is unknown")
	reason := Reset
	require.ErrorContains(t, reason.UnmarshalText([]byte("reSet")), `"reSet" is unknown`)
	assert.Equal(t, Reset, reason, "a bad text leaves the reason as it was")
}

func FuzzCloseReasonText(f *testing.F) {
	for _, name := range closeReasonNames {
		f.Add([]byte(name))
	}
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		var reason CloseReason
		if reason.UnmarshalText(text) != nil {
			return
		}
		again, err := reason.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, text, again)
	})
}

func FuzzAlert(f *testing.F) {
	f.Add([]byte{0x17, 3, 3, 0, 19})
	f.Fuzz(func(_ *testing.T, b []byte) { alert(b) }) // it must not read past the ends
}
