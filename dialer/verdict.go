package dialer

import (
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// verdict says what the failure of an attempt means for the next one.
type verdict int

const (
	// transient: the network failed, or a server; another attempt may fare better.
	transient verdict = iota
	// stubborn: the next attempt will fail in the same way, unless it meets
	// another server behind the same address.
	stubborn
	// permanent: no attempt at this request can succeed.
	permanent
)

// failure is what is known of an attempt that failed.
type failure struct {
	err    error
	upload bool // the request's own body failed
	asked  bool // net/http was asked for a connection
	begun  bool // the first byte of an answer had come
	body   bool // its headers had come, and its body failed
}

// judge tells failures that another attempt may mend from those that it cannot.
func (f failure) judge() verdict {
	switch {
	case f.upload || errors.Is(f.err, ErrTooLarge):
		return permanent
	case refusesTrust(f.err):
		return stubborn
	case f.body || ofTheNetwork(f.err):
		return transient
	case !f.asked:
		// What fails before it asks for a connection, and not for want of a network,
		// is a refusal on this side: of net/http, to which the request is malformed,
		// or of a round tripper of the user's.
		return permanent
	case f.begun && !ofNetHTTP(f.err):
		return permanent // a round tripper of the user's refused the answer
	}
	return transient
}

// ofTheNetwork reports whether an error is one of a connection or a dial.
func ofTheNetwork(err error) bool {
	var (
		network net.Error
		number  syscall.Errno
	)
	return errors.As(err, &network) || errors.As(err, &number) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}

// ofNetHTTP reports whether an error without a type is net/http's word for what
// became of a connection.
func ofNetHTTP(err error) bool {
	text := err.Error()
	for _, word := range []string{"http: ", "http2: ", "net/http", "malformed HTTP", "malformed MIME", "stream error: ", "connection error: "} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// refusesTrust reports whether an attempt failed because one side does not trust
// the other, or because they have no protocol in common: a certificate that does
// not verify, a peer that refuses ours, a file that should hold it, a peer that
// speaks no TLS, a proxy that wants credentials.
func refusesTrust(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		alert       tls.AlertError
		record      tls.RecordHeaderError
		file        *fs.PathError
		remote      *net.OpError
	)
	switch {
	case errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &record), errors.As(err, &file),
		errors.Is(err, http.ErrSchemeMismatch):
		return true
	case errors.As(err, &remote) && remote.Op == "remote error":
		return remote.Err != nil && refusals[remote.Err.Error()]
	}
	root := rootOf(err).Error()
	return strings.HasPrefix(root, "tls: ") || strings.HasPrefix(root, "x509: ") || proxyRefuses[root]
}

// rootOf returns the end of a chain of errors.
func rootOf(err error) error {
	for range maxChain {
		next := errors.Unwrap(err)
		if next == nil {
			break
		}
		err = next
	}
	return err
}

// refusals are the words of the TLS alerts (RFC 8446, section 6.2) by which a
// peer refuses what we are or offer. crypto/tls has no exported type for an
// alert that came over TCP, but says it in the same words as tls.AlertError.
var refusals = func() map[string]bool {
	words := map[string]bool{}
	for _, alert := range []tls.AlertError{
		40,  // handshake failure
		42,  // bad certificate
		43,  // unsupported certificate
		44,  // revoked certificate
		45,  // expired certificate
		46,  // unknown certificate
		47,  // illegal parameter
		48,  // unknown certificate authority
		49,  // access denied
		70,  // protocol version not supported
		71,  // insufficient security level
		86,  // inappropriate fallback
		109, // missing extension
		110, // unsupported extension
		112, // unrecognized name
		113, // bad certificate status response
		115, // unknown PSK identity
		116, // certificate required
		120, // no application protocol
	} {
		words[alert.Error()] = true
	}
	return words
}()

// proxyRefuses are the texts of the answers to CONNECT that another attempt does
// not change; net/http makes errors of them that consist of nothing else.
var proxyRefuses = map[string]bool{
	http.StatusText(http.StatusUnauthorized):      true,
	http.StatusText(http.StatusForbidden):         true,
	http.StatusText(http.StatusMethodNotAllowed):  true,
	http.StatusText(http.StatusProxyAuthRequired): true,
}
