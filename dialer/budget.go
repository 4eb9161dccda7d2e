package dialer

import (
	"fmt"
	"math"
	"time"
)

// Budget holds the bounds of one client's calls. Only Answer is required;
// whatever is zero is derived from it by WithDefaults, the one place where
// bounds are derived. A Budget is a plain value.
//
// Answer, Open and Upload bound a call from the moment it is made, whatever it
// spends the time on. The other durations divide that time and never add to it.
type Budget struct {
	// Mode says whether connections are kept. Zero is KeepConnections.
	Mode Mode

	// Answer bounds one call: from the moment it is made to the last byte of the
	// answer's body, or an error. It covers the wait for a connection, the dial
	// and the proxy, the TLS handshake, the request's body, every attempt, every
	// redirect that http.Client follows, and the answer's body whatever its length
	// or encoding. Unlike http.Client.Timeout it does not cover the body of a
	// stream (Transport.Stream), whose opening Open bounds. Required, positive.
	Answer time.Duration

	// Open bounds the opening of a stream, from the call to the answer's headers,
	// which a server may hold back until there is something to say. Zero is
	// Answer. It must not be negative.
	Open time.Duration

	// Upload is how much longer than Answer (or Open) a call may take whose
	// request has a body: for uploads that a slow line needs longer for. Zero adds
	// nothing: the sending of a body is part of Answer. It must not be negative.
	Upload time.Duration

	// MaxBody is the longest body of an answer in bytes, decompressed if net/http
	// does that, since answers are taken into memory whole. A longer one is an
	// error that wraps ErrTooLarge. Streams have no such limit. Zero is 16 MiB. It
	// must not be negative.
	MaxBody int64

	// Hedge is how long an attempt may go unanswered before another one starts
	// on a new connection. It is the least: where answers are slow, or this process
	// is short of CPU, hedges wait longer, up to half of the call's bound, so that
	// they do not add to the shortage. An attempt whose body is on its way, at
	// 64 KiB or more for each time that Hedge passes, is not hedged. What counts of
	// an upload is what the peer has acknowledged on Linux, and on other systems what
	// the kernel has taken, which may be megabytes more. Zero is Answer/20, at
	// least 50ms and at most 1s (and never more than Answer/2).
	// Negative: no hedging; attempts that failed are still tried again. Otherwise
	// it must be less than Answer.
	Hedge time.Duration

	// Connect bounds one dial, siblings included. A TLS handshake that takes longer
	// than that gets another attempt beside it even if there is no token left for
	// one; for the attempt after that it is twice as long, and so on. Where hedges wait
	// longer than Connect, so does this. Zero is Answer/4, at least 500ms, at most
	// Answer. It must not be negative nor more than Answer.
	Connect time.Duration

	// DialHedge is how long a dial may go unanswered before a sibling starts.
	// Zero is half of Hedge (of Hedge's default where Hedge is negative), at
	// most Connect/2. Negative: no siblings. Otherwise it must be less than
	// Connect.
	DialHedge time.Duration

	// Silence is how long a peer may leave data or probes unacknowledged before
	// its connection is dropped, see Dialer.Silence. Zero is Answer/4, at least
	// 500ms, at most Answer. Negative leaves sockets as the operating system
	// has them.
	Silence time.Duration
}

const (
	minHedge   = 50 * time.Millisecond
	maxHedge   = time.Second
	minConnect = 500 * time.Millisecond
	minSilence = 500 * time.Millisecond

	defaultMaxBody = 16 << 20

	// attemptsCap bounds the attempts of one round trip however small Hedge is;
	// attemptsFloor leaves room for retries however large it is.
	attemptsCap   = 24
	attemptsFloor = 4
)

// WithDefaults returns the budget with its zero fields filled in. It changes
// nothing that is set, and does nothing to a budget without a positive Answer.
func (b Budget) WithDefaults() Budget {
	if b.Answer <= 0 {
		return b
	}
	if b.Open == 0 {
		b.Open = b.Answer
	}
	if b.MaxBody == 0 {
		b.MaxBody = defaultMaxBody
	}
	if b.Hedge == 0 {
		b.Hedge = b.defaultHedge()
	}
	if b.Connect == 0 {
		b.Connect = min(max(b.Answer/4, minConnect), b.Answer)
	}
	if b.DialHedge == 0 {
		b.DialHedge = min(b.pace()/2, b.Connect/2)
	}
	if b.Silence == 0 {
		b.Silence = min(max(b.Answer/4, minSilence), b.Answer)
	}
	return b
}

// Validate returns an error that names field, value and relation when the
// bounds contradict each other, and nil when a Transport can keep them. Zero
// fields are judged by what WithDefaults makes of them.
func (b Budget) Validate() error {
	if !b.Mode.known() {
		return fmt.Errorf("dialer: Budget.Mode is %d, it must be %s (%d) or %s (%d)", int(b.Mode), KeepConnections, KeepConnections, NewConnections, NewConnections)
	}
	if b.Answer <= 0 {
		return fmt.Errorf("dialer: Budget.Answer is %v, it must be positive", b.Answer)
	}
	b = b.WithDefaults()
	switch {
	case b.Open < 0:
		return fmt.Errorf("dialer: Budget.Open is %v, it must not be negative", b.Open)
	case b.Upload < 0:
		return fmt.Errorf("dialer: Budget.Upload is %v, it must not be negative", b.Upload)
	case b.MaxBody < 0:
		return fmt.Errorf("dialer: Budget.MaxBody is %d bytes, it must not be negative", b.MaxBody)
	case b.Hedge >= b.Answer:
		return fmt.Errorf("dialer: Budget.Hedge is %v, it must be less than Answer (%v)", b.Hedge, b.Answer)
	case b.Connect <= 0:
		return fmt.Errorf("dialer: Budget.Connect is %v, it must not be negative", b.Connect)
	case b.Connect > b.Answer:
		return fmt.Errorf("dialer: Budget.Connect is %v, it must not be more than Answer (%v)", b.Connect, b.Answer)
	case b.DialHedge >= b.Connect:
		return fmt.Errorf("dialer: Budget.DialHedge is %v, it must be less than Connect (%v)", b.DialHedge, b.Connect)
	}
	return nil
}

// within returns the budget with no call longer than most, and what no longer fits
// into that as the defaults are. Only the body of a stream is not bounded by it. A most
// that is not positive is none. The budget must be valid, and so is what it returns.
func (b Budget) within(most time.Duration) Budget {
	if most <= 0 {
		return b
	}
	b.Answer = min(b.Answer, most)
	b.Open = min(b.Open, most)
	b.Upload = min(b.Upload, most-max(b.Answer, b.Open))
	b.Connect = min(b.Connect, b.Answer)
	if b.Hedge >= b.Answer {
		b.Hedge = 0
	}
	if connect := b.WithDefaults().Connect; b.DialHedge >= connect {
		b.DialHedge = 0
	}
	return b
}

func (b Budget) defaultHedge() time.Duration {
	return min(max(b.Answer/20, minHedge), maxHedge, b.Answer/2)
}

// pace is the least time between two attempts that nothing else justifies: the
// hedge, or its default where hedging is off and only failures are retried.
func (b Budget) pace() time.Duration {
	if b.Hedge > 0 {
		return b.Hedge
	}
	return max(b.defaultHedge(), 1)
}

// call returns how long a call may take, or the opening of its stream.
func (b Budget) call(stream, body bool) time.Duration {
	bound := b.Answer
	if stream {
		bound = b.Open
	}
	if body {
		bound += min(b.Upload, math.MaxInt64-bound)
	}
	return bound
}

// attempts is the most attempts that one round trip may make.
func (b Budget) attempts() int {
	return int(min(max(2*(b.Answer/b.pace()), attemptsFloor), attemptsCap))
}

// dialer returns the Dialer that keeps this (completed) budget, dialling
// through base.
func (b Budget) dialer(base dialFunc) *Dialer {
	return &Dialer{Connect: b.Connect, Hedge: b.DialHedge, Silence: b.Silence, Dial: base}
}
