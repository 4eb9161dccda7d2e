package contender

import (
	"context"
	"errors"
	"net"
	"time"
)

// OwnDialEach is how long OwnDial tries each address of a name.
const OwnDialEach = 500 * time.Millisecond

// OwnDial is a Dial function as a user may have one in his configuration: it tries
// one address of a name after the other. net.Dialer does too, but gives each at
// least two seconds, which is more than a short lease has.
func OwnDial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	errs := []error{err}
	for _, addr := range addrs {
		d := net.Dialer{Timeout: OwnDialEach}
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(addr, port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
