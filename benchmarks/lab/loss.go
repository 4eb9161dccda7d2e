package lab

import (
	"fmt"
	"net/netip"
	"slices"
)

// TCPFlags are bits of a TCP header's flags.
type TCPFlags byte

// The flags that a [Loss] can pick packets by.
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
)

// A Loss says which packets vanish on their way from one host to another: those
// that match all of its fields. Nobody is told, as with [Host.Cut]; but a cut
// host is cut off from everyone, and a Loss takes one direction of one path.
type Loss struct {
	// From and To are the addresses of hosts as the router sees them, after the
	// virtual IP has been translated. The zero Addr matches every host. What the
	// observer sends and receives does not pass between hosts and is never lost.
	From, To netip.Addr
	// Flags, where it is not zero, picks only TCP packets with any of these flags.
	Flags TCPFlags
}

// Lose makes packets vanish from now on, those that an earlier call named as
// well, until [Lab.LoseNothing]. The change is atomic. A Loss that matches every
// packet, and an address that is not IPv4, are errors.
func (l *Lab) Lose(losses ...Loss) error {
	for _, loss := range losses {
		if loss == (Loss{}) {
			return fmt.Errorf("lab: lose %+v: it matches every packet, also the control plane's own; set From, To or Flags", loss)
		}
		for _, a := range []netip.Addr{loss.From, loss.To} {
			if a.IsValid() && !a.Is4() {
				return fmt.Errorf("lab: lose %+v: %s is no IPv4 address", loss, a)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Concat(l.losses, losses)
	if err := l.router.lose(all); err != nil {
		return fmt.Errorf("lab: lose packets: %w", err)
	}
	l.losses = all
	return nil
}

// LoseNothing ends every [Lab.Lose].
func (l *Lab) LoseNothing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.router.lose(nil); err != nil {
		return fmt.Errorf("lab: lose no more packets: %w", err)
	}
	l.losses = nil
	return nil
}
