package scenario

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/stage"
)

// lateness is by how much an overloaded API server's answers are late: a fifth
// of the lease, 3 s of 15 s. It grows with the lease, so that it stands in the
// same relation to the deadlines of every timing: a request that is not hedged
// takes some 30 % of the renew deadline, and one on a new connection twice that.
func lateness(t Timing) time.Duration { return t.LeaseDuration / 5 }

// apiOverloaded is an API server that answers everything, late. It stands behind
// a relay from the beginning, since a connection that exists cannot be led
// elsewhere. The relay cannot read what it passes on: the answers to a TLS
// handshake are late too, as they are of a server without a processor to spare.
var apiOverloaded = Scenario{
	Name: "api-overloaded",
	Text: "every answer of the API server that both are connected to, handshakes included, comes late by a fifth of the lease; the virtual IP goes on naming it among the others",
	prepare: func(ctx context.Context, r *run) error {
		front, err := r.newFront(ctx)
		if err != nil {
			return fmt.Errorf("put a relay before %s: %w", r.victim.Host().Name(), err)
		}
		r.front = front
		return nil
	},
	inflict: func(_ context.Context, r *run) error {
		backends := []netip.AddrPort{r.front.addr}
		for _, i := range r.unharmed {
			backends = append(backends, r.stage.lab.APIServers()[i].Addr())
		}
		for _, c := range []*contending{r.leader, r.standby} {
			if err := c.host.SetBackendAddrs(backends...); err != nil {
				return err
			}
		}
		late := lateness(r.timing)
		return r.Harm(stage.Fault{On: r.victim.Host().Name(), How: fmt.Sprintf("every answer is %v late", late), Do: func() error {
			r.front.forwarder.lag(late)
			return nil
		}})
	},
}

// front is a relay that stands before the victim and that the virtual IP names
// in its place.
type front struct {
	addr      netip.AddrPort
	forwarder *forwarder
}

// newFront returns a front that stands until ctx, the run's, is done.
func (r *run) newFront(ctx context.Context) (*front, error) {
	host, err := r.stage.lab.NewHost("front")
	if err != nil {
		return nil, err
	}
	addr := netip.AddrPortFrom(host.Addr(), relayPort)
	listener, err := host.Listen(ctx, "tcp", addr.String())
	if err != nil {
		return nil, errors.Join(err, host.Close())
	}
	to := r.victim.Addr().String()
	f := forward(listener, func(ctx context.Context) (net.Conn, error) { return host.Dial(ctx, "tcp", to) })
	r.Tasks.Go(func() {
		<-ctx.Done()
		if err := errors.Join(f.close(), host.Close()); err != nil {
			r.Fail(fmt.Errorf("take the relay away: %w", err))
		}
	})
	return &front{addr: addr, forwarder: f}, nil
}
