package dialer

import "fmt"

// Mode says what happens to a connection after its request has been answered.
// The zero value is KeepConnections.
type Mode int

const (
	// KeepConnections keeps connections for the next request. Each socket carries a
	// user timeout (RFC 9293, section 3.9.1, and RFC 5482), so that the kernel
	// drops a connection whose peer has stopped acknowledging.
	KeepConnections Mode = iota
	// NewConnections opens a new connection for every request and closes it after the
	// answer. It costs a handshake each time and trusts nothing but the answer
	// itself, so it needs no help from the operating system. A connection that was
	// opened for a request which another attempt has answered goes to the next request
	// within Budget.Hedge, or is closed.
	NewConnections
)

var modeNames = [...]string{KeepConnections: "keep-connections", NewConnections: "new-connections"}

// String returns "keep-connections" or "new-connections", and "Mode(n)" for any other value.
func (m Mode) String() string {
	if !m.known() {
		return fmt.Sprintf("Mode(%d)", int(m))
	}
	return modeNames[m]
}

// MarshalText returns what String returns; an unknown mode is an error. With
// UnmarshalText it makes a *Mode fit for flag.TextVar and for JSON and YAML.
func (m Mode) MarshalText() ([]byte, error) {
	if !m.known() {
		return nil, fmt.Errorf("dialer: mode %d is neither %s nor %s", int(m), KeepConnections, NewConnections)
	}
	return []byte(m.String()), nil
}

// UnmarshalText accepts "keep-connections" and "new-connections", exactly. Anything else is
// an error that names the text and what is allowed, and leaves the mode as it was.
func (m *Mode) UnmarshalText(text []byte) error {
	for mode, name := range modeNames {
		if string(text) == name {
			*m = Mode(mode)
			return nil
		}
	}
	return fmt.Errorf("dialer: mode %q is neither %q nor %q", text, KeepConnections.String(), NewConnections.String())
}

func (m Mode) known() bool { return m >= 0 && int(m) < len(modeNames) }

// kept returns the mode that this operating system can keep the promise in:
// where sockets have no user timeout, connections cannot be kept.
func (m Mode) kept() Mode {
	if !SupportsUserTimeout {
		return NewConnections
	}
	return m
}
