package leaseapi

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// Relay is one address with several Endpoints behind it, as the virtual IP of a
// Service is: each new connection goes to one of the Endpoints that the Relay
// names at that moment, chosen at random, and stays with it. It is safe for
// concurrent use.
type Relay struct {
	mu     sync.Mutex
	random *rand.Rand
	named  []*Endpoint
	hosts  []*Host
	closed bool
}

// NewRelay returns a Relay that names the endpoints. random makes its choices;
// nil means choices that differ from run to run. The Relay owns random from
// here on.
func NewRelay(random *rand.Rand, endpoints ...*Endpoint) *Relay {
	if random == nil {
		random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	return &Relay{random: random, named: slices.Clone(endpoints)}
}

// Name sets what the Relay names from now on. Connections that exist stay where
// they are, to an Endpoint that is no longer named too. With no endpoints, new
// connections are reset.
func (r *Relay) Name(endpoints ...*Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.named = slices.Clone(endpoints)
}

// Named returns what the Relay names now.
func (r *Relay) Named() []*Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.named)
}

// choose picks the Endpoint of a new connection, or nil if none is named.
func (r *Relay) choose() *Endpoint {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.named) == 0 {
		return nil
	}
	return r.named[r.random.IntN(len(r.named))]
}

// errClosed says that a Relay is used after Close.
var errClosed = errors.New("the relay is closed")

// add makes the Host end with the Relay.
func (r *Relay) add(host *Host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("opening host %q: %w", host.name, errClosed)
	}
	r.hosts = append(r.hosts, host)
	return nil
}

// Close ends every Host of the Relay, and with them all its connections. It
// returns when their goroutines have ended.
func (r *Relay) Close() {
	r.mu.Lock()
	hosts := r.hosts
	r.hosts, r.closed = nil, true
	r.mu.Unlock()
	for _, host := range hosts {
		host.Close()
	}
}
