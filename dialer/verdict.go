package dialer

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
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
	case f.upload || errors.Is(f.err, ErrTooLarge) || headersTooLong(f.err) || wrongLength(f.err) || declines(f.err):
		return permanent
	case permanentDialError(f.err) && !noSuchName(f.err):
		return permanent // an address that cannot be dialled
	case refusesTrust(f.err), noSuchName(f.err):
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

// noSuchName reports whether a name server has said that there is no such name. Another one
// may know better.
func noSuchName(err error) bool {
	var name *net.DNSError
	return errors.As(err, &name) && name.IsNotFound
}

// ofTheNetwork reports whether an error is one of a connection or a dial: whether the
// operating system, a name server, the end of a connection or a timeout is in it. What
// net, net/url and this package wrap any error in (net.OpError, url.Error, Error) is a
// net.Error too, and says nothing by itself.
func ofTheNetwork(err error) bool {
	switch e := err.(type) {
	case nil, *net.AddrError, *net.ParseError, net.UnknownNetworkError:
		return false
	case *net.OpError:
		// crypto/tls reports alerts so, those apart that refusesTrust knows.
		return e.Op == "remote error" || e.Op == "local error" || ofTheNetwork(e.Err)
	case *url.Error:
		return ofTheNetwork(e.Err)
	case *Error:
		return ofTheNetwork(e.Err)
	case net.Error: // syscall.Errno and what has timed out among them
		return true
	case interface{ Unwrap() error }:
		return ofTheNetwork(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), ofTheNetwork)
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}

// declined is an error by which a Dial or a Control of the user's refuses an address.
type declined struct{ error }

// Unwrap returns what the user's code said.
func (d *declined) Unwrap() error { return d.error }

// decline returns the error of a Dial or a Control of the user's, marked if it is none
// of the network: the next dial would get the same.
func decline(err error) error {
	if err == nil || ofTheNetwork(err) || errors.Is(err, context.Canceled) {
		return err
	}
	return &declined{err}
}

func declines(err error) bool {
	var d *declined
	return errors.As(err, &d)
}

// headersTooLong reports whether net/http has refused an answer whose headers are longer
// than Transport.MaxResponseHeaderBytes. It has no type for that.
func headersTooLong(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server response headers exceeded") ||
		strings.Contains(text, "response header list larger than advertised limit")
}

// wrongLength reports whether net/http has found that the body of the request is not as
// long as its Content-Length says. It has no type for that.
func wrongLength(err error) bool {
	text := err.Error()
	return strings.Contains(text, "http: ContentLength=") || strings.Contains(text, "http: Request.ContentLength=")
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
// speaks no TLS, a proxy that wants credentials or forbids the way.
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
	if socksRefuses(err) {
		return true
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

// socksRefuses reports whether a SOCKS proxy has refused what it was asked for: the
// client, the way or the request. It is not so where the proxy tells of the network
// behind it. net/http makes errors of one Op of it all, which differ in words.
func socksRefuses(err error) bool {
	var socks *net.OpError
	if !errors.As(err, &socks) || !strings.HasPrefix(socks.Op, "socks ") || ofTheNetwork(socks.Err) {
		return false
	}
	return !slices.Contains(socksUnreachable, rootOf(socks).Error())
}

// socksUnreachable are the replies of a SOCKS proxy (RFC 1928, section 6) that another
// attempt may change, in net/http's words.
var socksUnreachable = []string{
	"unknown error general SOCKS server failure",
	"unknown error network unreachable",
	"unknown error host unreachable",
	"unknown error connection refused",
	"unknown error TTL expired",
}
