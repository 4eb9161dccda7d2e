package witness

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// processTestimony is what Process leaves: the name of a socket, and where it is.
type processTestimony struct {
	name  string
	place place
}

// place is one network namespace of one running kernel.
type place struct {
	// identity is compared as a whole: boot id, namespace, addresses.
	identity string
	// epoch is the wall clock's reading at the moment of boot. On one machine it
	// changes only when the clock is set.
	epoch time.Duration
}

// epochTolerance is by how much two readings of one epoch may differ. Each is made
// of several readings of clocks, between which a thread may have to wait.
const epochTolerance = 100 * time.Millisecond

func (p place) is(other place) bool {
	return p.identity != "" && p.identity == other.identity && (p.epoch-other.epoch).Abs() <= epochTolerance
}

func (p place) String() string {
	return fmt.Sprintf("%s epoch=%d", p.identity, p.epoch.Milliseconds())
}

func (t processTestimony) String() string { return t.name + " " + t.place.String() }

// socketName is the random part of the name of a socket: 128 bits. Whatever else
// stands in a testimony is only compared and never used.
var socketName = regexp.MustCompile(`^[0-9a-f]{32}$`)

func parseProcessTestimony(text string) (t processTestimony, err error) {
	if len(text) > MaxTestimony {
		return t, noProof("a testimony of %d bytes, and it may have %d", len(text), MaxTestimony)
	}
	name, where, _ := strings.Cut(text, " ")
	identity, epoch, _ := strings.Cut(where, " epoch=")
	ms, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || !socketName.MatchString(name) || identity == "" {
		return t, noProof("%s is no testimony of a process: it must be the name of a socket, 32 hexadecimal digits, and its place", quote(text))
	}
	// Some 200 years, beyond which milliseconds are no time.Duration.
	if ms < -1<<42 || ms > 1<<42 {
		return t, noProof("%s has an epoch that is no time", quote(text))
	}
	return processTestimony{name, place{identity, time.Duration(ms) * time.Millisecond}}, nil
}
