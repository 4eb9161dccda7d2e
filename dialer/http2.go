package dialer

import (
	"context"
	"net"
	"net/http"
	"time"
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
	var conf http.HTTP2Config
	if t.HTTP2 != nil {
		conf = *t.HTTP2
	}
	tighten(&conf.SendPingTimeout, within/3)
	tighten(&conf.PingTimeout, within/2)
	tighten(&conf.WriteByteTimeout, within)
	t.HTTP2 = &conf
	return conf.SendPingTimeout + conf.PingTimeout
}

// keepHTTP2 makes the clone of a user's transport negotiate HTTP/2 if the
// original does. net/http falls back to HTTP/1.1 on a transport that has a dial
// function unless told otherwise, and a clone whose HTTP/2 was set up from
// outside would go on using the original's pool and pings.
// The original says so in TLSNextProto once it has been cloned.
func keepHTTP2(clone, theirs *http.Transport) {
	if _, spoken := theirs.TLSNextProto["h2"]; spoken {
		clone.TLSNextProto = nil
		clone.ForceAttemptHTTP2 = true
	}
}

func ignoreContext(dial func(network, address string) (net.Conn, error)) dialFunc {
	return func(_ context.Context, network, address string) (net.Conn, error) { return dial(network, address) }
}
