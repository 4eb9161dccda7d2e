package contender

import (
	"context"
	"net"
)

// OwnDial is a Dial function as a user may have one in his configuration: that of a
// net.Dialer, which tries one address of a name after the other and gives each at least two
// seconds, more than a short lease has.
func OwnDial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}
