package lab

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"time"
)

// DefaultTCPRetries2 is the kernel's own tcp_retries2, which every new host has.
const DefaultTCPRetries2 = 15

const (
	rtoMin = 200 * time.Millisecond // the kernel's TCP_RTO_MIN
	rtoMax = 120 * time.Second      // the kernel's TCP_RTO_MAX
)

// The threads' own files: /proc/sys/net shows the network of whoever opens it,
// but /proc/net that of the process's main thread.
const (
	retries2Path = "/proc/sys/net/ipv4/tcp_retries2"
	countersPath = "/proc/thread-self/net/netstat"
)

// SetTCPRetries2 sets net.ipv4.tcp_retries2 of this host alone: how long its
// kernel repeats what nobody acknowledges before it drops the connection, see
// [TCPGivesUpAfter]. It holds at once, for connections that exist as well. n is
// 0 to 255.
func (h *Host) SetTCPRetries2(n int) error {
	if n < 0 || n > math.MaxUint8 {
		return fmt.Errorf("lab: host %q: tcp_retries2 = %d: must be 0 to %d", h.name, n, math.MaxUint8)
	}
	err := h.link.enter(func() error { return os.WriteFile(retries2Path, []byte(strconv.Itoa(n)), 0) })
	if err != nil {
		return fmt.Errorf("lab: host %q: tcp_retries2 = %d: %w", h.name, n, err)
	}
	return nil
}

// TCPRetries2 returns net.ipv4.tcp_retries2 of this host.
func (h *Host) TCPRetries2() (int, error) {
	var n int
	err := h.link.enter(func() error {
		text, err := os.ReadFile(retries2Path)
		if err == nil {
			n, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("lab: host %q: tcp_retries2: %w", h.name, err)
	}
	return n, nil
}

// TCPTimeouts returns how many connections this host's kernel has dropped so
// far because the peer was silent, whatever noticed the silence: retransmission,
// keepalive, TCP_USER_TIMEOUT or an unanswered SYN. It is the kernel's counter
// TCPAbortOnTimeout, see nstat(8).
func (h *Host) TCPTimeouts() (int, error) {
	var n int
	err := h.link.enter(func() error {
		text, err := os.ReadFile(countersPath)
		if err == nil {
			n, err = counter(string(text), "TcpExt", "TCPAbortOnTimeout")
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("lab: host %q: connections dropped for silence: %w", h.name, err)
	}
	return n, nil
}

// counter returns one number of the format of /proc/net/netstat: for each group
// a line of names and below it a line of values, both of which begin with the
// group's name and a colon.
func counter(text, group, name string) (int, error) {
	var names []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != group+":" {
			continue
		}
		if names == nil {
			names = words
			continue
		}
		for i, n := range names {
			if n == name && i < len(words) {
				return strconv.Atoi(words[i])
			}
		}
	}
	return 0, fmt.Errorf("there is no counter %s of group %s", name, group)
}

// TCPGivesUpAfter returns the time for which a kernel with that tcp_retries2
// goes on repeating what nobody acknowledges, counted from the first
// repetition. It is a lower bound: TCP drops the connection when the first
// retransmission timer fires that is past it, which is at most about as much
// later again, and at most 120s.
//
// The n-th wait is 0.2s doubled n times and 120s at most, and tcp_retries2
// stands for one wait more than its number: 924.6s with 15. See tcp_retries2 in
// Documentation/networking/ip-sysctl.rst and tcp_model_timeout in
// net/ipv4/tcp_timer.c of Linux; other values of tcp_rto_min_us and
// tcp_rto_max_ms than the default are not considered.
func TCPGivesUpAfter(retries2 int) time.Duration {
	doublings := bits.Len64(uint64(rtoMax/rtoMin)) - 1 // until a wait is cut to 120s
	doubled := min(max(retries2, 0), doublings)
	return time.Duration(2<<doubled-1)*rtoMin + time.Duration(max(retries2-doublings, 0))*rtoMax
}
