package matrix

import "time"

// Meeting is what a connection meets at a victim.
type Meeting int

// What a new connection to a victim meets.
const (
	// Fine: it is served; the victim, if there is one, is out of reach only for
	// connections that existed.
	Fine Meeting = iota
	// NoSYN: its SYN is not answered.
	NoSYN
	// Refusal: it is refused at once.
	Refusal
	// NoHandshake: TCP connects, and then nothing is answered.
	NoHandshake
)

// NetworkCondition is what a fault leaves of the network for the columns, as far as the
// bounds need it. The zero NetworkCondition is none at all.
type NetworkCondition struct {
	// Victims is how many of the three backends, which the virtual IP goes on
	// naming, are victims; zero where it stops naming the victim at once.
	Victims int
	// Turns is that new connections take turns among the backends instead of being
	// drawn, as they do among the addresses of a name.
	Turns bool
	// Named is how long it goes on naming them; zero is for good.
	Named time.Duration
	// New is what new connections to a victim meet.
	New Meeting
	// Silent is that connections that exist end without a word.
	Silent bool

	// Lasts is how long the fault lasts, where it ends by itself; zero is for
	// good.
	Lasts time.Duration
	// Answered is that a victim answers, and refuses, every request. A connection
	// to it is well all the time.
	Answered bool
	// RetryAfter is what such an answer asks to wait.
	RetryAfter time.Duration
	// Late is by how much each answer of a victim is late at most.
	Late time.Duration
	// Everyone is that all backends are victims of what Answered or Late says.
	Everyone bool
	// HTTP2 is that clients of HTTP/1.1, such as a lock, meet nothing of it.
	HTTP2 bool
	// Deposed is that another has taken the lease.
	Deposed bool
}

// backends is how many backends the virtual IP names.
const backends = 3

// reachable reports whether some server can be reached within that time of the
// fault.
func (w NetworkCondition) reachable(within time.Duration) bool {
	if !w.Everyone {
		return true
	}
	return w.Lasts > 0 && w.Lasts < within
}

// tries is how many new connections it takes until one does not go to a victim.
func (w NetworkCondition) tries() int {
	if w.Turns {
		return w.Victims + 1
	}
	return tries(w.share())
}

// share is the share of new connections that go to a victim.
func (w NetworkCondition) share() float64 {
	if w.Everyone {
		return 1
	}
	return float64(w.Victims) / backends
}
