package contender

// clientGoPings2s is client-go whose HTTP/2 connections are pinged after 2 s
// without a frame, not 30 s, and given up 2 s later, not 15 s: the shortest that
// its variables can usefully say. They are read when a transport is made, so
// they are in the environment from the start.
var clientGoPings2s = peer{
	env:     []string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS=2", "HTTP2_PING_TIMEOUT_SECONDS=2"},
	refuses: clientGo.refuses,
	contend: clientGo.contend,
}
