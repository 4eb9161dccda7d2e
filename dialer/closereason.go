package dialer

import "fmt"

// CloseReason says why a connection was closed. Whatever was noticed first
// counts: a connection whose peer said goodbye before we closed it is
// PeerClosed, one that we closed first is not, however the peer replies.
type CloseReason int

const (
	// ByUs: closed in good order by this side; it was idle, was not to be kept,
	// or its stream's body was closed.
	ByUs CloseReason = iota
	// PeerClosed: the peer ended it, with a FIN or a TLS alert.
	PeerClosed
	// Reset: the peer's system refused to go on (RST).
	Reset
	// TimedOut: nothing was acknowledged within the user timeout, the keepalive
	// probes or the HTTP/2 pings.
	TimedOut
	// LostHedge: it carried an attempt that another attempt outran.
	LostHedge
	// LostDial: it was connected after a sibling, or after its dial had ended.
	LostDial
	// GivenUp: it carried a request whose bound ran out or whose caller cancelled.
	GivenUp
	// Handshake: its TLS handshake did not succeed, for whatever reason, or that
	// with a proxy did not within its bound.
	Handshake
	// Failed: anything else, such as an error of the operating system or an
	// attempt that failed before the first byte of its answer.
	Failed
)

var closeReasonNames = [...]string{
	ByUs:       "by-us",
	PeerClosed: "peer-closed",
	Reset:      "reset",
	TimedOut:   "timed-out",
	LostHedge:  "lost-hedge",
	LostDial:   "lost-dial",
	GivenUp:    "given-up",
	Handshake:  "handshake",
	Failed:     "failed",
}

func (r CloseReason) known() bool { return r >= 0 && int(r) < len(closeReasonNames) }

// String returns the reason in lower case, such as "peer-closed", fit for a
// metric's label, and "CloseReason(n)" for a value that is none.
func (r CloseReason) String() string {
	if !r.known() {
		return fmt.Sprintf("CloseReason(%d)", int(r))
	}
	return closeReasonNames[r]
}

// MarshalText returns what String returns; an unknown reason is an error.
func (r CloseReason) MarshalText() ([]byte, error) {
	if !r.known() {
		return nil, fmt.Errorf("dialer: close reason %d is unknown, it must be %d (%s) to %d (%s)", int(r), ByUs, ByUs, Failed, Failed)
	}
	return []byte(r.String()), nil
}

// UnmarshalText accepts what MarshalText returns, exactly. Anything else is an
// error that names the text, and leaves the reason as it was.
func (r *CloseReason) UnmarshalText(text []byte) error {
	for reason, name := range closeReasonNames {
		if string(text) == name {
			*r = CloseReason(reason)
			return nil
		}
	}
	return fmt.Errorf("dialer: close reason %q is unknown, it must be one of %q", text, closeReasonNames)
}
