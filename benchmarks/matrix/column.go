package matrix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-go/holdfast/dialer"
)

// Role is what a process does that a fault may harm.
type Role string

// The roles.
const (
	// Leader renews a lease.
	Leader Role = "leader"
	// ClientGoLeader renews a lease by client-go's elector, as controller-runtime
	// runs it, with this library's lock: nothing bounds its calls but the lock.
	ClientGoLeader Role = "client-go-leader"
	// Candidate waits for the lease of a leader that is killed when the fault
	// comes.
	Candidate Role = "candidate"
	// Watch is the watch of a candidate, whose Lease goes on changing.
	Watch Role = "watch"
	// Informer is a client-go informer through dialer.HardenTraffic.
	Informer Role = "informer"
	// Writer updates an object again and again through dialer.HardenTraffic.
	Writer Role = "writer"
)

// The names of the modes; traffic is that of dialer.HardenTraffic.
const (
	userTimeout = "keep-connections"
	fresh       = "new-connections"
	traffic     = "http2"
)

// leads reports whether the role is that of a leader when the fault comes.
func (r Role) leads() bool { return r == Leader || r == ClientGoLeader }

// Column is a role in a mode.
type Column struct {
	Role Role
	// Mode is "keep-connections" or "new-connections" for the roles of a lock, "http2" for the
	// others.
	Mode string
}

// Columns returns all columns, in the order of the table.
func Columns() []Column {
	return []Column{
		{Leader, userTimeout}, {Leader, fresh},
		{ClientGoLeader, userTimeout}, {ClientGoLeader, fresh},
		{Candidate, userTimeout}, {Candidate, fresh},
		{Watch, userTimeout}, {Watch, fresh},
		{Informer, traffic}, {Writer, traffic},
	}
}

// String is "leader/new-connections".
func (c Column) String() string { return string(c.Role) + "/" + c.Mode }

// name is what hosts, identities and objects of the column begin with.
func (c Column) name() string { return string(c.Role) + "-" + c.Mode }

// mode is the lock's mode.
func (c Column) mode() dialer.Mode {
	if c.Mode == fresh {
		return dialer.NewConnections
	}
	return dialer.KeepConnections
}

// keeps reports whether the column holds a connection between its requests, so
// that it can be connected to the victim when the fault comes.
func (c Column) keeps() bool { return !c.Role.leads() || c.Mode != fresh }

// Select returns the columns of these roles and modes; none named means all. A
// name that is unknown is an error that says which there are.
func Select(roles, modes []string) ([]Column, error) {
	all := Columns()
	for _, given := range []struct {
		what  string
		names []string
		of    func(Column) string
	}{
		{"role", roles, func(c Column) string { return string(c.Role) }},
		{"mode", modes, func(c Column) string { return c.Mode }},
	} {
		var known []string
		for _, c := range Columns() {
			if name := given.of(c); !slices.Contains(known, name) {
				known = append(known, name)
			}
		}
		for _, name := range given.names {
			if !slices.Contains(known, name) {
				return nil, fmt.Errorf("%s %q: must be one of %s", given.what, name, strings.Join(known, ", "))
			}
		}
		if len(given.names) > 0 {
			all = slices.DeleteFunc(all, func(c Column) bool { return !slices.Contains(given.names, given.of(c)) })
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no column has role %s and mode %s", strings.Join(roles, " or "), strings.Join(modes, " or "))
	}
	return all, nil
}
