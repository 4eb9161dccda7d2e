package dialer

import "time"

// hedging is what a round trip that has ended knows of the attempts that it paid
// for: hedges, and retries of what had reached a server.
type hedging struct {
	delay         time.Duration // Budget.Hedge
	reachedServer int           // hedges that reached a server
	inHandshake   int           // hedges that got no further than their TLS handshake
	unconnected   int           // hedges that never got as far as that

	answered bool          // there was an answer, and
	byFirst  bool          // the first attempt gave it, or
	took     time.Duration // another did, so long after it had got its connection
	whole    time.Duration // and so long after it had been sent
	fresh    bool          // the first attempt was on a connection opened for it
}

// refund returns how many tokens a round trip gives back: those of hedges that
// were no load on a server that is slow.
//
// A hedge without a connection was a load on nobody, one that was in its TLS
// handshake may have been: a server that has too much to do is as silent there as
// a dead one. It comes back if another attempt was answered within the hedge's
// delay, its own handshake included. The others come back only
// if it was the first attempt's connection that had died and not the server
// that was slow, and that takes two signs. The connection was one that had been
// kept, or was never made: a connection just opened has just proved itself
// alive. And the answer, once asked for elsewhere, came sooner than the hedge's
// delay: where answers take longer than that, the next hedge is wasted too. (The
// time to connect is not counted; it says nothing of the server that answered.)
//
// The signs mislead where a server is slow for a part of its requests only:
// where a third of the answers are late, hedging adds up to half as many
// requests, since a second try is then likely to be a quick one.
func (h hedging) refund() int {
	back := h.unconnected
	if !h.answered || h.byFirst {
		return back
	}
	if h.whole <= h.delay {
		back += h.inHandshake
	}
	if !h.fresh && h.took <= h.delay {
		back += h.reachedServer
	}
	return back
}
