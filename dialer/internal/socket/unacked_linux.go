package socket

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Unacked returns how many of the bytes written to a TCP socket the peer's system has
// not acknowledged (SIOCOUTQ, see tcp(7)). known is false on other systems, which do not
// tell.
func Unacked(raw syscall.RawConn) (bytes int, known bool, err error) {
	err = Control(raw, func(fd uintptr) (err error) {
		bytes, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		return os.NewSyscallError("ioctl SIOCOUTQ", err)
	})
	return bytes, true, err
}
