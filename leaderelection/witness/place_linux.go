package witness

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-go/holdfast/internal/death"
)

// placeOf returns the place of a socket that the calling thread has opened. The
// goroutine must be locked to its thread: threads of one process may be in different
// network namespaces, and /proc/self is but the first of them.
//
// Boot id and namespace are what tells two places apart. The rest guards against
// what may share both: a namespace whose number was used again, and machines that
// were started from one image of a running one.
func placeOf(fd int) (death.Place, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return death.Place{}, err
	}
	bootID := strings.TrimSpace(string(boot))
	if bootID == "" {
		return death.Place{}, errors.New("/proc/sys/kernel/random/boot_id is empty")
	}
	var ns unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &ns); err != nil {
		return death.Place{}, fmt.Errorf("/proc/thread-self/ns/net: %w", err)
	}
	// Linux 5.14 and later: a number that no other namespace has until the next boot.
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		cookie = 0
	}
	return death.Place{
		Identity: fmt.Sprintf("boot=%s net=%d:%d cookie=%d from=%s", bootID, ns.Dev, ns.Ino, cookie, ownAddresses()),
		Epoch:    epoch(),
	}, nil
}

// ownAddresses returns the addresses from which this namespace sends to the world,
// without sending anything: a datagram socket that is connected has chosen one. An
// address family without a route leaves none.
func ownAddresses() string {
	var found []string
	// Documentation addresses (RFC 5737 and RFC 3849), for which only a default route
	// is there. Port 9 is discard.
	world4 := &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr("198.51.100.1").As4()}
	world6 := &unix.SockaddrInet6{Port: 9, Addr: netip.MustParseAddr("2001:db8::1").As16()}
	for domain, world := range map[int]unix.Sockaddr{unix.AF_INET: world4, unix.AF_INET6: world6} {
		if address, err := addressTo(domain, world); err == nil {
			found = append(found, address.String())
		}
	}
	if len(found) == 2 && found[0] > found[1] {
		found[0], found[1] = found[1], found[0]
	}
	return strings.Join(found, ",")
}

func addressTo(domain int, world unix.Sockaddr) (netip.Addr, error) {
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { _ = unix.Close(fd) }()
	if domain == unix.AF_INET6 {
		// Rather the stable address than one that changes by the day (RFC 5014).
		const preferPublic = 2
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_ADDR_PREFERENCES, preferPublic)
	}
	if err := unix.Connect(fd, world); err != nil {
		return netip.Addr{}, err
	}
	own, err := unix.Getsockname(fd)
	switch a := own.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr), err
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr), err
	}
	return netip.Addr{}, err
}

// epoch returns the wall clock's reading at boot. Of several tries it takes the one
// in which the clocks were read closest together.
func epoch() (at time.Duration) {
	read := func(clock int32) time.Duration {
		var ts unix.Timespec
		_ = unix.ClockGettime(clock, &ts) // fails for no clock that is known
		return time.Duration(ts.Nano())
	}
	best := time.Duration(1<<63 - 1)
	for range 5 {
		before := read(unix.CLOCK_BOOTTIME)
		wall := read(unix.CLOCK_REALTIME)
		if took := read(unix.CLOCK_BOOTTIME) - before; took < best {
			best, at = took, wall-before-took/2
		}
	}
	return at
}
