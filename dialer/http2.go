package dialer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// ping makes a transport notice a peer that is silent on an HTTP/2 connection:
// after a third of the bound without a frame it asks, and half of the bound
// later it gives up. What the user has bounded more tightly stays. It returns how
// long a peer that is given up has been silent, at least.
func ping(t *http.Transport, within time.Duration) (lost time.Duration) {
	tighten := func(bound *time.Duration, to time.Duration) {
		if *bound <= 0 || *bound > to {
			*bound = max(to, 1)
		}
	}
	tighten(&t.TLSHandshakeTimeout, within)
	conf := http2Config(t)
	tighten(&conf.SendPingTimeout, within/3)
	tighten(&conf.PingTimeout, within/2)
	tighten(&conf.WriteByteTimeout, within)
	t.HTTP2 = &conf
	return conf.SendPingTimeout + conf.PingTimeout
}

// http2Config returns the bounds of HTTP/2 that a transport has: those of its field,
// and where that says nothing those of an http2.Transport of x/net that was set up
// for it, as client-go does with what the environment says of pings.
func http2Config(t *http.Transport) http.HTTP2Config {
	var conf http.HTTP2Config
	if t.HTTP2 != nil {
		conf = *t.HTTP2
	}
	outside := outsideHTTP2(t)
	for _, bound := range []struct {
		of   *time.Duration
		name string // of the field of http2.Transport
	}{
		{&conf.SendPingTimeout, "ReadIdleTimeout"},
		{&conf.PingTimeout, "PingTimeout"},
		{&conf.WriteByteTimeout, "WriteByteTimeout"},
	} {
		if *bound.of != 0 || !outside.IsValid() {
			continue
		}
		if value := outside.FieldByName(bound.name); value.IsValid() && value.CanInt() {
			*bound.of = time.Duration(value.Int())
		}
	}
	return conf
}

// outsideHTTP2 returns the http2.Transport that has been set up for a transport, or
// nothing. Nobody keeps it but the function that net/http hands a new connection to,
// which returns it, in a type of its own with the same fields: so the function gets a
// connection on which nothing comes and which then ends.
func outsideHTTP2(t *http.Transport) reflect.Value {
	upgrade := t.TLSNextProto["unencrypted_http2"]
	if upgrade == nil {
		return reflect.Value{}
	}
	probe := &probe{ended: make(chan struct{})}
	defer close(probe.ended)
	rt := reflect.ValueOf(upgrade("probe.invalid:80", tls.Client(probe, new(tls.Config))))
	if rt.Kind() != reflect.Pointer || rt.Elem().Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return rt.Elem()
}

// probe is a connection that takes everything and answers nothing until it ends.
type probe struct{ ended chan struct{} }

// UnencryptedNetConn is what net/http hands a connection without TLS over by.
func (p *probe) UnencryptedNetConn() net.Conn { return p }

func (p *probe) Read([]byte) (int, error) {
	<-p.ended
	return 0, io.EOF
}
func (p *probe) Write(b []byte) (int, error)      { return len(b), nil }
func (p *probe) Close() error                     { return nil }
func (p *probe) LocalAddr() net.Addr              { return new(net.TCPAddr) }
func (p *probe) RemoteAddr() net.Addr             { return new(net.TCPAddr) }
func (p *probe) SetDeadline(time.Time) error      { return nil }
func (p *probe) SetReadDeadline(time.Time) error  { return nil }
func (p *probe) SetWriteDeadline(time.Time) error { return nil }

// keepHTTP2 makes the clone of a user's transport negotiate HTTP/2 if the
// original does. net/http falls back to HTTP/1.1 on a transport that has a dial
// function unless told otherwise, and a clone whose HTTP/2 was set up from
// outside would go on using the original's pool and pings. Such a one gets an
// http2.Transport of its own with the same settings.
// The original says so in TLSNextProto once it has been cloned.
func keepHTTP2(clone, theirs *http.Transport) error {
	if _, spoken := theirs.TLSNextProto["h2"]; !spoken {
		return nil
	}
	conf := http2Config(theirs)
	clone.HTTP2 = &conf
	clone.TLSNextProto = nil
	clone.ForceAttemptHTTP2 = true
	outside := outsideHTTP2(theirs)
	if !outside.IsValid() || !outside.CanConvert(reflect.TypeFor[http2.Transport]()) {
		return nil // it is net/http's own, which has no settings but those of its transport
	}
	if pool := outside.FieldByName("ConnPool").Elem(); pool.IsValid() && !strings.HasSuffix(pool.Type().String(), "oDialClientConnPool") {
		return fmt.Errorf("the http2.Transport of config.Transport has a ConnPool of its own, a %s, it must have that of http2.ConfigureTransports: %w", pool.Type(), ErrOpaqueTransport)
	}
	own, err := http2.ConfigureTransports(clone)
	if err != nil {
		return fmt.Errorf("set up HTTP/2 as config.Transport has it: %w", err)
	}
	to := reflect.ValueOf(own).Elem()
	for _, field := range reflect.VisibleFields(to.Type()) {
		if field.IsExported() && field.Name != "ConnPool" {
			to.FieldByIndex(field.Index).Set(outside.FieldByName(field.Name))
		}
	}
	return nil
}

func ignoreContext(dial func(network, address string) (net.Conn, error)) dialFunc {
	return func(_ context.Context, network, address string) (net.Conn, error) { return dial(network, address) }
}
