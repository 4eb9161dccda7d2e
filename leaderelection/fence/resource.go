package fence

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Operation is a kind of write, as admission policies name them.
type Operation string

// The operations. An update is a patch too, a delete a deletion of many too.
// Connect is exec, attach, port-forward and proxy.
const (
	Create  Operation = "create"
	Update  Operation = "update"
	Delete  Operation = "delete"
	Connect Operation = "connect"
)

var operations = []Operation{Create, Update, Delete, Connect}

// Resource is a kind of object that only the leader may write.
type Resource struct {
	// Group is the API group. Empty is the core group.
	Group string
	// Name is the plural name, with a subresource after a slash: "deployments",
	// "deployments/scale", "pods/eviction". An object and its subresources are
	// guarded apart.
	Name string
	// Operations are those that are guarded. None means create, update and delete,
	// for the subresources that one connects to connect.
	Operations []Operation
}

// ParseResource reads a resource as kubectl writes it, with operations after a
// colon: "pods", "deployments.apps", "deployments.apps/scale:update",
// "widgets.example.com:create,update".
func ParseResource(text string) (Resource, error) {
	var r Resource
	rest, list, listed := strings.Cut(text, ":")
	rest, subresource, isSubresource := strings.Cut(rest, "/")
	name, group, grouped := strings.Cut(rest, ".")
	if grouped && group == "" {
		return Resource{}, fmt.Errorf("resource %q: no group after the dot; the core group is left out, as in pods", text)
	}
	r.Name, r.Group = name, group
	if isSubresource {
		r.Name += "/" + subresource
	}
	if listed {
		for operation := range strings.SplitSeq(list, ",") {
			r.Operations = append(r.Operations, Operation(operation))
		}
	}
	return r, r.validate()
}

// String returns what ParseResource reads.
func (r Resource) String() string {
	name, subresource, isSubresource := strings.Cut(r.Name, "/")
	if r.Group != "" {
		name += "." + r.Group
	}
	if isSubresource {
		name += "/" + subresource
	}
	var all []string
	for _, operation := range r.Operations {
		all = append(all, string(operation))
	}
	if len(all) > 0 {
		name += ":" + strings.Join(all, ",")
	}
	return name
}

// unguarded are the groups and resources that cannot be fenced, with the reason.
// A resource that is empty stands for all of its group.
var unguarded = []struct{ group, resource, reason string }{
	{"coordination.k8s.io", "leases", "contenders that do not lead write Leases too, that of the election before all"},
	{"", "events", "contenders that do not lead record events too, and nothing depends on who does"},
	{"events.k8s.io", "", "contenders that do not lead record events too, and nothing depends on who does"},
	{"admissionregistration.k8s.io", "", "the API server exempts policies and webhooks from policies"},
	{"authentication.k8s.io", "", "a review is answered, not kept, so there is nothing to guard"},
	{"authorization.k8s.io", "", "a review is answered, not kept, so there is nothing to guard"},
}

func (r Resource) validate() error {
	name, subresource, isSubresource := strings.Cut(r.Name, "/")
	switch {
	case r.Group == "*" || strings.Contains(r.Name, "*"):
		return fmt.Errorf("resource %q: must be named, since * would include the Lease of the election", r)
	case name == "" || isSubresource && subresource == "" || strings.Contains(subresource, "/"):
		return fmt.Errorf("resource %q: must be NAME.GROUP or NAME.GROUP/SUBRESOURCE, such as deployments.apps/scale; the core group is left out, as in pods", r)
	}
	for _, message := range slices.Concat(validation.IsDNS1035Label(name), ifAny(subresource, validation.IsDNS1123Label), ifAny(r.Group, validation.IsDNS1123Subdomain)) {
		return fmt.Errorf("resource %q: %s", r, message)
	}
	for _, u := range unguarded {
		if r.Group == u.group && (u.resource == "" || name == u.resource) {
			return fmt.Errorf("resource %q: cannot be fenced: %s", r, u.reason)
		}
	}
	for _, operation := range r.Operations {
		if !slices.Contains(operations, operation) {
			return fmt.Errorf("resource %q: operation %q: must be one of create, update (patch too), delete (of many too), connect", r, operation)
		}
	}
	return nil
}

func ifAny(text string, check func(string) []string) []string {
	if text == "" {
		return nil
	}
	return check(text)
}

// connected are the subresources that one connects to.
var connected = []string{"pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy"}

// guarded returns the operations that are guarded.
func (r Resource) guarded() []Operation {
	switch {
	case len(r.Operations) > 0:
		return r.Operations
	case r.Group == "" && slices.Contains(connected, r.Name):
		return []Operation{Connect}
	}
	return []Operation{Create, Update, Delete}
}

func (r Resource) has(operation Operation) bool { return slices.Contains(r.guarded(), operation) }

// stamped reports whether a policy can write the term on what is written.
func (r Resource) stamped() bool {
	return !strings.Contains(r.Name, "/") && (r.has(Create) || r.has(Update))
}

// timed reports whether the API server stamps a time on what is written: on whole
// objects, on their status, and on evictions, which are created.
func (r Resource) timed() bool {
	_, subresource, isSubresource := strings.Cut(r.Name, "/")
	return (!isSubresource || subresource == "status" || subresource == "eviction") && (r.has(Create) || r.has(Update))
}
