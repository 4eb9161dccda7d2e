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
// next one. And while a virtual IP still routes to a dead backend, every dial that
// is sent there waits for an answer that never comes.
//
// The words: a hedge is a second attempt at a request that is not answered soon, on
// a new connection. A sibling is a second dial beside one that is not answered. A
// stream is an answer that may go on for ever, such as a watch. The names in the
// table are fields of Budget.
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
// A host name with several addresses is resolved for each dial. Siblings go to
// different addresses, and so does the next dial. So an address that is silent costs
// one DialHedge, and one that connects and then freezes costs one Hedge. The same holds
// for a Dial of the user's own that tries the addresses of the name itself, as far as
// that can be seen (Dialer.Dial). A name server that is silent costs one DialHedge with
// Go's own resolver: the next one in resolv.conf is asked too.
//
// A connection is ready when every proxy on its way has answered and every TLS
// handshake is done. One bound covers the time from the dial to that moment, or to
// the moment when a request gets the connection. It holds even if the request that it
// was dialled for has ended: net/http alone waits a minute for an HTTP proxy and for
// ever for a SOCKS proxy. For a connection that was dialled by hand, or whose context
// a round tripper of the user's has replaced, the first byte from the peer counts as
// that moment. A Transport without a Base, and every client made from a hardened
// config, closes its idle connections when nothing refers to it any more.
//
// Dials to a peer that does not answer cause little load. At most eight of one client
// are under way at once, and the number of siblings is limited, see Dialer.
//
// In a TLS handshake an overloaded server is as silent as a dead one. So a handshake
// that takes longer than Connect gets another attempt beside it, even if the hedging
// budget is used up. But the slow one is not abandoned before Answer: if all clients
// abandoned their handshakes and came again, none would ever be served. At most eight
// connections of a Transport are being made at once, three where the process is short of CPU. While half of that are, or more, a
// request that is abandoned leaves the connection that is being made for it alone.
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
// has no user timeout. Where a Dial of the user's own opens such a socket, the log says
// that the option was refused.
//
// Where an option counts whole seconds, the value is rounded up. The kernel checks
// the user timeout only when one of its timers fires, so it is kept roughly. A
// connection with data in flight, and an unanswered SYN, are dropped at the first
// retransmission that is due after Silence. An idle connection is dropped at most one
// keepalive interval after Silence (a sixth of Silence, at least one second), and never
// sooner than two seconds after its last sign of life. Round trips do not wait for any
// of this: Hedge, Connect and Answer are timers of this package. On systems other than
// Linux the options are set as the manuals say and have not been measured.
//
// # What is not promised
//
// A stream (a watch) over HTTP/1.1 whose peer freezes is not noticed. The peer's
// kernel still acknowledges and its process writes nothing, which looks like a stream
// without news; only its reader can know that news is due. A plugin that fetches
// credentials is outside the bounds. A connection inside a tunnel of the user's own
// has no socket to set options on; its round trips are bounded nevertheless.
//
// # What can be seen
//
// A Meter counts connections and requests: how many connections were opened, why
// each was closed, how many requests were hedged, how often the hedge was answered
// first, and how old the connection was that carried the last answer. Each hardened
// client has a Meter of its own, which StatsOf reads; WithMeter, Transport.Meter and
// Dialer.Meter set one that many may share. Its Trace calls functions as things happen, for
// metrics and logs:
//
//	meter := dialer.Meter{Trace: dialer.Trace{Closed: func(reason dialer.CloseReason, ...) { closes.WithLabelValues(reason.String()).Inc() }}}
//	hardened, err := dialer.Harden(config, budget, dialer.WithMeter(&meter))
//	stats := meter.Stats()
//
// The CloseReason is what was noticed first. Only a Transport or HardenTraffic can
// tell a TLS handshake that was refused or not answered, and an HTTP/2 peer that
// answers no ping. With a Dialer alone both are counted as ByUs.
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
