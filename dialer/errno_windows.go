package dialer

import "golang.org/x/sys/windows"

// What the operating system says of a connection that the peer's system
// refuses, and of one that has timed out.
var (
	resets   = []error{windows.WSAECONNRESET, windows.WSAECONNABORTED}
	timeouts = []error{windows.WSAETIMEDOUT, windows.WSAEHOSTUNREACH, windows.WSAENETUNREACH, windows.WSAENETRESET}
)

// connectionRefused is what it says where nobody listens.
const connectionRefused = windows.WSAECONNREFUSED
