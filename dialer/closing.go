package dialer

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

// closing is what is known of a connection at the moment it is closed.
type closing struct {
	won         bool          // its dial returned it
	handshaking bool          // its TLS handshake has begun and has not succeeded
	failure     error         // the first thing that ended it from outside, nil if nothing did
	carries     bool          // a request is on it
	begun       bool          // the answer to that request has begun
	final       bool          // the request told the peer to close the connection after its answer
	cause       error         // why that request was cancelled, nil if it was not
	silent      time.Duration // since the peer was last heard
	lost        time.Duration // how long an HTTP/2 peer may leave pings unanswered, zero if it is not pinged
}

// reason turns what is known into one word.
func (c closing) reason() CloseReason {
	var why *ending
	switch {
	case !c.won:
		return LostDial
	case c.handshaking:
		return Handshake
	case c.carries && c.begun && c.final && errors.Is(c.failure, io.EOF):
		return ByUs // it was told to
	case c.failure != nil:
		return reasonOf(c.failure)
	case c.carries && errors.As(c.cause, &why):
		return why.reason
	case c.carries && c.cause != nil:
		return GivenUp
	case c.carries && !c.begun:
		return Failed
	case c.lost > 0 && c.silent >= c.lost:
		return TimedOut
	}
	return ByUs
}

// reasonOf classifies what a read or a write returned.
func reasonOf(err error) CloseReason {
	is := func(known error) bool { return errors.Is(err, known) }
	switch {
	case is(io.EOF):
		return PeerClosed
	case slices.ContainsFunc(resets, is):
		return Reset
	case slices.ContainsFunc(timeouts, is):
		return TimedOut
	}
	return Failed
}

// ending is the cause with which an attempt's context is cancelled, so that the
// connection under the attempt knows what it is closed for.
type ending struct {
	reason CloseReason
	words  string
}

var (
	endedWell    = &ending{ByUs, "the attempt has been answered"}
	endedOutrun  = &ending{LostHedge, "another attempt was answered first"}
	endedGivenUp = &ending{GivenUp, "the round trip has been given up"}
	endedFailed  = &ending{Failed, "the attempt has failed"}
)

func (e *ending) Error() string { return e.words }

// Is keeps errors.Is(err, context.Canceled) true for what net/http makes of it.
func (e *ending) Is(target error) bool { return target == context.Canceled }

// alert reports whether b ends with a TLS alert, which apart from warnings
// nobody sends is the last that its sender says. TLS 1.2 writes the record's
// type in the open. In TLS 1.3 every record looks like application data, and an
// alert is the one of two bytes, a type and an authentication tag; HTTP flushes
// nothing as short as two bytes.
func alert(b []byte) bool {
	const header, alertType, dataType = 5, 0x15, 0x17
	const tls13 = 2 + 1 + 16
	for _, length := range []int{tls13, 18, 26} { // 18: ChaCha20, 26: AES-GCM with its explicit nonce
		at := len(b) - header - length
		if at < 0 {
			continue
		}
		record := b[at:]
		if record[1] != 3 || int(record[3])<<8|int(record[4]) != length {
			continue
		}
		if record[0] == alertType || record[0] == dataType && length == tls13 {
			return true
		}
	}
	return false
}
