// Package dialer keeps one promise: no connection outlives its silence. That means:
// a peer that stops answering is noticed and dropped within a bound the caller sets,
// whether the connection is being dialled, is in its TLS handshake, is idle or
// has a request in flight. The package knows sockets, TLS and HTTP round trips,
// and nothing of what they are used for.
//
// # Why
//
// A TCP connection whose peer has vanished stays open for as long as the kernel
// retransmits: 15 minutes with Linux's defaults (`make incident` waits for it).
// Over HTTP/2 a request that timed out leaves the connection in place for the
// next one. And while a virtual IP still names a dead backend, every dial that
// is sent there waits for an answer that never comes.
//
// # What is promised
//
//	state of the connection          noticed by                     within
//	being dialled                    a hedged dial                  Connect; siblings every DialHedge
//	not yet ready for a request      one bound from the dial on     Answer, or HardenTraffic's
//	in its TLS handshake             the hedge; a bound for siblings Hedge; Connect, see below
//	request in flight                the hedge                      Hedge; Answer for all attempts
//	data unacknowledged              the user timeout               Silence
//	idle, or a stream without data   keepalive                      about Silence, see below
//
// A host name with several addresses is resolved for each dial, siblings go to
// different addresses, and so does the next dial: one that is silent costs one
// DialHedge, one that connects and then freezes costs one Hedge. A name server that
// is silent costs one DialHedge where Go's own resolver asks: the next one in
// resolv.conf is asked beside it.
//
// A connection is ready when every proxy on its way has answered and every TLS
// handshake is done. From the dial to that moment, or to that at which a request
// has the connection, there is one bound, also when the request that it was dialled
// for has gone: net/http alone waits a minute for an HTTP proxy and for ever for a
// SOCKS proxy. Where nothing tells of requests (a connection dialled by hand, a round
// tripper of the user's that replaces the context), the peer's first word counts for
// that moment. What is dropped closes its idle connections: a Transport without a
// Base, and every client made from a hardened config, when nobody holds it any more.
//
// Dials make little load where there is no answer. At most eight of one client are
// under way at once, and siblings are paid for, see Dialer.
//
// A server that has too much to do is as silent in a TLS handshake as a dead one.
// So what misses Connect there gets another attempt beside it, even where the
// hedging budget is used up, but is not thrown away before Answer: a crowd that
// came again with every handshake it had thrown away would never be served. At most
// eight connections of a Transport are being made at once, and while it is half of
// that or more, none is taken along by a request that was given up.
//
// The socket options differ by operating system:
//
//	           SYN, data unacknowledged                       idle            mode
//	Linux      TCP_USER_TIMEOUT, milliseconds                 keepalive, s    as asked
//	macOS      TCP_CONNECTIONTIMEOUT, TCP_RXT_CONNDROPTIME, s keepalive, s    as asked
//	Windows    TCP_MAXRT, s                                   keepalive, s    as asked
//	FreeBSD    TCP_KEEPINIT, s; since 14 TCP_MAXUNACKTIME, s  keepalive, s    NewConnections
//	NetBSD     TCP_KEEPINIT, s; nothing for data              keepalive, s    NewConnections
//	DragonFly  TCP_KEEPINIT, ms; nothing for data             keepalive, ms   NewConnections
//	OpenBSD    nothing                                        the host's pace NewConnections
//	others     nothing                                        keepalive       NewConnections
//
// The last column is the Mode that Harden and Transport use. NewConnections there
// means that they open a connection for every request, whatever Mode was asked for,
// because the kernel cannot drop a dead connection in time. HardenTraffic keeps
// connections on every system. Where the kernel puts no bound on unacknowledged
// data, the HTTP/2 pings find dead connections.
//
// If a Dial or Control of the user's own has set a tighter value on a socket, that
// value stays. (On Windows the keepalive settings cannot be read, so ours replace
// them.) Sockets are plain TCP even with GODEBUG=multipathtcp=1, since multipath TCP
// has no user timeout.
//
// Whole seconds are rounded up. The kernel looks at the user timeout when one
// of its timers fires, so it is kept roughly: a connection with data in flight,
// and an unanswered SYN, are dropped at the first retransmission that is due
// after Silence, and an idle connection at most one keepalive interval after it
// (a sixth of Silence, at least one second) and never sooner than two seconds
// after its last sign of life. Round trips do not wait for any of this: Hedge,
// Connect and Answer are timers of our own. The options of
// the systems other than Linux are set as their manuals say and have not been
// measured.
//
// # What is not promised
//
// A stream (a watch) over HTTP/1.1 whose peer freezes, so that its kernel still
// acknowledges but its process writes nothing, looks like a stream without
// news; only its reader can know that news is due. A plugin that fetches
// credentials is outside the bounds. A connection inside a tunnel of the user's
// own has no socket of ours to set options on; its round trips are bounded all
// the same.
//
// # What can be seen
//
// A Meter counts what becomes of connections and requests: how many were
// opened, why each was closed, what was hedged and what won, and how old the
// connection was that carried the last answer. Each hardened client has one of
// its own, which StatsOf reads; WithMeter, Transport.Meter and Dialer.Meter name
// one that many may share. Its Trace calls functions as things happen, for
// metrics and logs:
//
//	meter := dialer.Meter{Trace: dialer.Trace{Closed: func(reason dialer.CloseReason, ...) { closes.WithLabelValues(reason.String()).Inc() }}}
//	hardened, err := dialer.Harden(config, budget, dialer.WithMeter(&meter))
//	stats := meter.Stats()
//
// The reason of a closing is what was noticed first. A refused or unanswered TLS
// handshake and an HTTP/2 peer that answers no ping are known for what they are
// where a Transport or HardenTraffic sends the requests; to a Dialer alone both
// are ByUs.
//
// # Use
//
// Harden takes the rest.Config of a small client, such as that of a lock, and a
// Budget, of which only Answer is needed; HardenTraffic is for the many watches
// of a controller. Without client-go, a Transport with a Budget is an
// http.RoundTripper, and Dialer.DialContext fits any http.Transport:
//
//	hardened, err := dialer.Harden(config, dialer.Budget{Answer: 5 * time.Second})
//	client := &http.Client{Transport: &dialer.Transport{Budget: dialer.Budget{Answer: 5 * time.Second}}}
package dialer
