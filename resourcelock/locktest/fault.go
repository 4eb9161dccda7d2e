package locktest

import (
	"net/http"
	"slices"
)

// Fault is one thing that can happen to a lock. To add one is an entry in the list of
// its kind: answers, ways or untruths.
type Fault struct {
	// Name is that of the subtest.
	Name string

	// serve happens to a request that the fault hits, instead of what pass does,
	// which is to have it answered. Nil: pass.
	serve func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc)
	// way, where it is not nil, prepares the way to the server on which the fault
	// happens, before there is a client. It returns what begins the fault and what ends it.
	way func(s *stage) (begin, end func())
	// bears reports whether a call comes to its end as if there were no fault. Nil: none does.
	bears func(call string) bool
	// plays is where elections meet the fault. The zero value is: once, in each role.
	plays []played
}

// played is an extent, and the roles in which it is played.
type played struct {
	extent Extent
	roles  []role
}

// in is an extent in the roles, in all if none is named.
func in(extent Extent, roles ...role) played {
	if len(roles) == 0 {
		roles = []role{leader, candidate}
	}
	return played{extent, roles}
}

// Faults returns every fault of the suite.
func Faults() []Fault { return slices.Concat(answers(), ways(), untruths()) }

// cells returns where elections meet the fault.
func (f Fault) cells() (cells []cell) {
	plays := f.plays
	if plays == nil {
		plays = []played{in(Once)}
	}
	for _, p := range plays {
		for _, r := range p.roles {
			cells = append(cells, cell{f, p.extent, r})
		}
	}
	return cells
}

// throughout is the extent that Calls gives the fault: the widest it has.
func (f Fault) throughout() Extent {
	if len(f.plays) > 0 && !slices.ContainsFunc(f.plays, func(p played) bool { return p.extent != Old }) {
		return Old
	}
	return Everyone
}

// borne reports whether the call comes to its end all the same.
func (f Fault) borne(call string) bool { return f.bears != nil && f.bears(call) }
