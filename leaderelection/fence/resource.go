package fence

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
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
	// Operations are those that are guarded. None means all that the resource has:
	// create, update and delete, for a subresource those that it is written by, such as
	// connect for exec.
	Operations []Operation
}

// ParseResource reads a resource as kubectl writes it, with operations after a
// colon: "pods", "deployments.apps", "deployments.apps/scale:update",
// "widgets.example.com:create,update".
func ParseResource(text string) (Resource, error) {
	var r Resource
	rest, named, listed := strings.Cut(text, ":")
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
		for operation := range strings.SplitSeq(named, ",") {
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
	if len(r.Operations) > 0 {
		name += ":" + strings.ReplaceAll(list(r.Operations), " ", "")
	}
	return name
}

// unguarded are the groups and resources that cannot be fenced, with the reason.
// A resource that is empty stands for all of its group.
var unguarded = []struct{ group, resource, reason string }{
	{"coordination.k8s.io", "leases", "contenders that do not lead write Leases too, that of the election before all"},
	{"coordination.k8s.io", "leasecandidates", "contenders that do not lead write them, in order to be elected"},
	{"", "events", "contenders that do not lead record events too, and nothing depends on who does"},
	{"events.k8s.io", "", "contenders that do not lead record events too, and nothing depends on who does"},
	{"admissionregistration.k8s.io", "", "the API server exempts policies and webhooks from policies"},
	{"authentication.k8s.io", "", "a review is answered, not kept, so there is nothing to guard"},
	{"authorization.k8s.io", "", "a review is answered, not kept, so there is nothing to guard"},
}

// core are the resources of the core group, which will get no more.
var core = []string{
	"bindings", "componentstatuses", "configmaps", "endpoints", "events", "limitranges", "namespaces", "nodes",
	"persistentvolumeclaims", "persistentvolumes", "pods", "podtemplates", "replicationcontrollers", "resourcequotas",
	"secrets", "serviceaccounts", "services",
}

// builtIn are the other groups without a dot, and what is known to be in them: that of a
// custom resource has a dot.
var builtIn = map[string][]string{
	"apps":        {"controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"},
	"autoscaling": {"horizontalpodautoscalers"},
	"batch":       {"cronjobs", "jobs"},
	"policy":      {"poddisruptionbudgets"},
}

// version is how kubectl writes one before the group.
var version = regexp.MustCompile(`^v[0-9]+((alpha|beta)[0-9]+)?(\.|$)`)

// subresources are those that Kubernetes has, and the operations that they are written
// by. Another operation would guard nothing.
var subresources = map[string][]Operation{
	"status": {Update}, "scale": {Update}, "ephemeralcontainers": {Update}, "resize": {Update}, "finalize": {Update}, "approval": {Update},
	"binding": {Create}, "eviction": {Create}, "token": {Create},
	"exec": {Connect}, "attach": {Connect}, "portforward": {Connect}, "proxy": {Connect},
	"log": {},
}

// writtenBy returns the operations that the resource is written by, as far as is known.
func (r Resource) writtenBy() []Operation {
	_, subresource, isSubresource := strings.Cut(r.Name, "/")
	if !isSubresource {
		return []Operation{Create, Update, Delete}
	}
	if known, ok := subresources[subresource]; ok {
		return known
	}
	return operations
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
	return errors.Join(r.validateGroup(name), r.validateOperations())
}

// validateGroup refuses what names nothing: a fence of it would guard nothing.
func (r Resource) validateGroup(name string) error {
	switch {
	case r.Group == "" && !slices.Contains(core, name):
		return fmt.Errorf("resource %q: the core group has no %s: must be NAME.GROUP with a plural name, such as deployments.apps; in the core group are %s", r, name, strings.Join(core, ", "))
	case version.MatchString(r.Group):
		return fmt.Errorf("resource %q: group %q begins with a version: must be without, since every version is fenced", r, r.Group)
	case r.Group == "core":
		return fmt.Errorf("resource %q: the core group is left out, as in pods", r)
	case r.Group != "" && !strings.Contains(r.Group, ".") && builtIn[r.Group] == nil:
		return fmt.Errorf("resource %q: there is no group %q: must be one with a dot, or one of %s", r, r.Group, strings.Join(slices.Sorted(maps.Keys(builtIn)), ", "))
	}
	return nil
}

func (r Resource) validateOperations() error {
	has := r.writtenBy()
	if len(has) == 0 {
		return fmt.Errorf("resource %q: cannot be fenced: it is only read", r)
	}
	for _, operation := range r.Operations {
		if !slices.Contains(operations, operation) {
			return fmt.Errorf("resource %q: operation %q: must be one of create, update (patch too), delete (of many too), connect", r, operation)
		}
		if !slices.Contains(has, operation) {
			return fmt.Errorf("resource %q: operation %q: would guard nothing, since it is written by %s", r, operation, list(has))
		}
	}
	return nil
}

func list(all []Operation) string {
	var names []string
	for _, operation := range all {
		names = append(names, string(operation))
	}
	return strings.Join(names, ", ")
}

func ifAny(text string, check func(string) []string) []string {
	if text == "" {
		return nil
	}
	return check(text)
}

// guarded returns the operations that are guarded.
func (r Resource) guarded() []Operation {
	if len(r.Operations) > 0 {
		return r.Operations
	}
	return r.writtenBy()
}

func (r Resource) has(operation Operation) bool { return slices.Contains(r.guarded(), operation) }

// stamped reports whether a policy can write the term on what is written.
func (r Resource) stamped() bool {
	return !strings.Contains(r.Name, "/") && (r.has(Create) || r.has(Update))
}

// timed reports whether the API server stamps a time on what is written: on whole
// objects, on their status, and on evictions, which are created. A binding is not kept.
func (r Resource) timed() bool {
	if r.Group == "" && r.Name == "bindings" {
		return false
	}
	_, subresource, isSubresource := strings.Cut(r.Name, "/")
	return (!isSubresource || subresource == "status" || subresource == "eviction") && (r.has(Create) || r.has(Update))
}
