package front

import "net/netip"

// Point is a moment in the life of a request.
type Point int

const (
	// AtRequest: the request has arrived, and nothing of its answer has left.
	AtRequest Point = iota
	// MidBody: half of a part of the answer's body has arrived at the client.
	MidBody
)

// A Trap does something at the next such moment of one client's, once.
type Trap struct {
	At Point
	// Do is called while the request waits. It must not call the front.
	Do func()
}

// Trap sets a trap for the client at that address; it replaces the one before.
func (f *Front) Trap(client netip.Addr, t Trap) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.traps[client] = &t
}

// take returns the trap of a client, if it has come to that point, and removes it.
func (f *Front) take(client netip.Addr, at Point) *Trap {
	f.mu.Lock()
	defer f.mu.Unlock()
	trap := f.traps[client]
	if trap == nil || trap.At != at {
		return nil
	}
	delete(f.traps, client)
	return trap
}
