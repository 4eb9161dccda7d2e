package death

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ProcessTestimony is what witness.Process leaves: the name of a socket, and where it is.
type ProcessTestimony struct {
	Name  string
	Place Place
}

// Place is one network namespace of one running kernel.
type Place struct {
	// Identity is compared as a whole: boot id, namespace, addresses.
	Identity string
	// Epoch is the wall clock's reading at the moment of boot. On one machine it
	// changes only when the clock is set.
	Epoch time.Duration
}

// epochTolerance is by how much two readings of one epoch may differ. Each is made
// of several readings of clocks, between which a thread may have to wait.
const epochTolerance = 100 * time.Millisecond

// Is reports whether both are one place, as far as can be told.
func (p Place) Is(other Place) bool {
	return p.Identity != "" && p.Identity == other.Identity && (p.Epoch-other.Epoch).Abs() <= epochTolerance
}

// String is the place as it stands in a testimony.
func (p Place) String() string {
	return fmt.Sprintf("%s epoch=%d", p.Identity, p.Epoch.Milliseconds())
}

// String is the testimony as it stands in the Lease.
func (t ProcessTestimony) String() string { return t.Name + " " + t.Place.String() }

// socketName is the random part of the name of a socket: 128 bits. Whatever else
// stands in a testimony is only compared and never used.
var socketName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// ParseProcessTestimony is the reverse of ProcessTestimony.String.
func ParseProcessTestimony(text string) (t ProcessTestimony, err error) {
	name, where, _ := strings.Cut(text, " ")
	identity, epoch, _ := strings.Cut(where, " epoch=")
	ms, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || !socketName.MatchString(name) || identity == "" {
		return t, fmt.Errorf("%s is no testimony of a process: it must be the name of a socket, 32 hexadecimal digits, and its place", Quote(text))
	}
	// Some 200 years, beyond which milliseconds are no time.Duration.
	if ms < -1<<42 || ms > 1<<42 {
		return t, fmt.Errorf("%s has an epoch that is no time", Quote(text))
	}
	return ProcessTestimony{name, Place{identity, time.Duration(ms) * time.Millisecond}}, nil
}
