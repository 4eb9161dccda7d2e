package matrix

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is one way to die. To add one is an entry in the file of its kind.
type Fault struct {
	// Name is what Find knows it by.
	Name string
	// Text says what happens, in one sentence.
	Text string
	// Network is what it leaves of the network.
	Network NetworkCondition

	// by is how the columns reach the API.
	by road
	// harms says that an API server itself is harmed, and has to recover.
	harms bool
	// inflict does it to the victim.
	inflict func(p *play) error
	// only, where set, says which roles it can be done to.
	only func(Role) bool
	// ready, where set, is done when every column does what it is to do.
	ready func(p *play) error
	// toEach, where set, is done to each column at a moment of its own instead,
	// with the death of a candidate's leader.
	toEach func(p *play, c *contestant) error
}

// unready is how long the virtual IP names a server that accepts and does not
// answer, before the readiness probe of its node has it removed.
const unready = 4 * time.Second

// Faults returns every fault, in the order of the table.
func Faults() []Fault {
	return slices.Concat(silences(), connections(), processes(), answers(), accesses(), deposals())
}

// Find returns the faults of these names, in the order of the table; none
// named means all. A name that is unknown is an error that says which there are.
func Find(wanted []string) ([]Fault, error) {
	var found []Fault
	var known []string
	left := map[string]bool{}
	for _, name := range wanted {
		left[name] = true
	}
	for _, f := range Faults() {
		known = append(known, f.Name)
		if left[f.Name] || len(wanted) == 0 {
			found = append(found, f)
			delete(left, f.Name)
		}
	}
	for name := range left {
		return nil, fmt.Errorf("fault %q: must be one of %s", name, strings.Join(known, ", "))
	}
	return found, nil
}
