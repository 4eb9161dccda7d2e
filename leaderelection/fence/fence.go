package fence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/errors"
)

// Fence is what is guarded, by which lease, and for whom. The zero value guards
// nothing and is an error.
type Fence struct {
	// Lease is the lease of the election. Both parts are required.
	Lease types.NamespacedName
	// ServiceAccount is the one that the contenders run as. Only its requests are
	// fenced. An empty Namespace is that of the Lease.
	//
	// All that it writes to the Resources is fenced, whoever of the contenders
	// sends it: what standbys write too does not belong among them.
	ServiceAccount types.NamespacedName
	// Resources are what only the leader may write.
	Resources []Resource
	// Namespaces are those in which the resources are fenced. None means all of
	// them. What is in no namespace is fenced in either case; of Namespaces themselves
	// those that are named.
	Namespaces []string

	// ByName has the policy compare the name of the Pod alone, as client-go's
	// contenders write it (the host name, an underscore, a random word). It is for
	// the time in which both kinds contend: a Pod that comes back under the same
	// name (of a StatefulSet) passes for its predecessor. The default asks for an
	// identity made by Identity, which has the UID too.
	ByName bool
	// NoExpiry leaves a holder alone whose lease has expired. The default refuses
	// it from the end of the lease on, by the time that the API server stamps on
	// what is written, so that a server which does not hear of a takeover stops the
	// old leader all the same. It assumes that the clocks of the API servers and of
	// the contenders agree to within ClockSkew, and it applies where the API server
	// stamps a time: on what is created, and on what is updated and has managed
	// fields (an object that was created without any content has none); not on
	// delete, connect, scale and binding.
	NoExpiry bool
	// ClockSkew is how far the holder's clock may be behind the API server's, at most
	// a day. The lease expires later by as much for the fence. 0 takes them to agree;
	// a fraction of a second counts as a whole one.
	ClockSkew time.Duration
	// Term stamps the number of the term (the Lease's leaseTransitions) on what is
	// written, in the annotation TermAnnotation, and refuses a write that would
	// lower it: once the new leader has touched an object, no server lets the old
	// one write to it. It needs a MutatingAdmissionPolicy of
	// admissionregistration.k8s.io/v1, which Kubernetes has from 1.36 on, and does
	// not reach subresources. Who else writes these objects must leave the annotation
	// as it is.
	Term bool
}

// mostSkew is the largest ClockSkew.
const mostSkew = 24 * time.Hour

// TermAnnotation is where Fence.Term stamps the term on an object, in decimal.
const TermAnnotation = "holdfast-go.github.io/term"

// Validate returns an error that names all that is wrong with the fence, nil if
// nothing is.
func (f Fence) Validate() error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	name := func(what, value string, check validation.ValidateNameFunc) {
		if value == "" {
			say("%s is missing", what)
			return
		}
		for _, message := range check(value, false) {
			say("%s %q: %s", what, value, message)
		}
	}
	name("namespace of the Lease", f.Lease.Namespace, validation.ValidateNamespaceName)
	name("name of the Lease", f.Lease.Name, validation.NameIsDNSSubdomain)
	name("name of the ServiceAccount", f.ServiceAccount.Name, validation.ValidateServiceAccountName)
	name("namespace of the ServiceAccount", f.account().Namespace, validation.ValidateNamespaceName)
	for _, namespace := range f.Namespaces {
		name("namespace", namespace, validation.ValidateNamespaceName)
	}
	if len(f.Resources) == 0 {
		say("no resources to guard; name those that only the leader writes, such as deployments.apps")
	}
	for _, resource := range f.Resources {
		if err := resource.validate(); err != nil {
			wrong = append(wrong, err)
		}
	}
	if f.ClockSkew < 0 || f.ClockSkew > mostSkew {
		say("clock skew %v: must be from 0 to %v; where clocks differ by more, let no lease expire for the fence (no-expiry)", f.ClockSkew, mostSkew)
	}
	if f.Term && !f.stamped() {
		say("the term is stamped on what is created or updated, and none of the resources is: %s", join(f.Resources))
	}
	return errors.NewAggregate(wrong)
}

// Warnings returns what the fence does not cover, a sentence each.
func (f Fence) Warnings() []string {
	warnings := []string{
		fmt.Sprintf("only requests as %s are fenced: not those under another identity, by impersonation or with other credentials", f.user()),
		fmt.Sprintf("what contenders write that do not lead is refused too, as %s, to %s: list nothing that they write, or have them write it as another", f.user(), join(f.Resources)),
	}
	if f.ByName {
		warnings = append(warnings,
			"by name: a contender is refused whose identity does not begin with the name of its Pod and an underscore, as that of client-go's on the host's network, in a Pod with a hostname of its own, or with a name of more than 63 characters",
			"by name: a Pod that comes back under the name of its predecessor passes for it")
	}
	if len(f.Namespaces) > 0 {
		warnings = append(warnings, fmt.Sprintf("outside of %s nothing is fenced but what is in no namespace", strings.Join(f.Namespaces, ", ")))
	}
	for _, resource := range f.Resources {
		warnings = append(warnings, f.unlisted(resource)...)
		switch {
		case f.NoExpiry:
		case !resource.timed():
			warnings = append(warnings, fmt.Sprintf("%s: refused after a takeover, but not for the expiry of the lease alone, since the API server stamps no time on it", resource))
		case resource.has(Delete) || resource.has(Connect):
			warnings = append(warnings, fmt.Sprintf("%s: delete and connect are refused after a takeover, but not for the expiry of the lease alone", resource))
		}
		if f.Term && !resource.stamped() {
			warnings = append(warnings, fmt.Sprintf("%s: the term is not stamped on it", resource))
		}
	}
	if f.Term {
		warnings = append(warnings, fmt.Sprintf("the term holds for an object for as long as whoever else writes it keeps the annotation %s", TermAnnotation))
	}
	return warnings
}

// unlisted returns what reaches the same as a resource by another way, and is not
// listed, and who else writes it.
func (f Fence) unlisted(r Resource) (warnings []string) {
	name, _, _ := strings.Cut(r.Name, "/")
	switch {
	case r.Group == "" && r.Name == "pods/binding" && !f.lists("bindings"):
		warnings = append(warnings, "pods/binding: Pods are bound by bindings too: list bindings as well")
	case r.Group == "" && r.Name == "bindings" && !f.lists("pods/binding"):
		warnings = append(warnings, "bindings: Pods are bound by pods/binding too: list pods/binding as well")
	case r.Group == "" && r.Name == "pods/status":
		warnings = append(warnings, r.String()+": a contender that has lost the lease cannot take the leader's label off its own Pod (package podlabel); its successor does")
	case builtIn[r.Group] != nil && !slices.Contains(builtIn[r.Group], name):
		warnings = append(warnings, fmt.Sprintf("%s: nothing is fenced if the group %s has no %s; known are %s", r, r.Group, name, strings.Join(builtIn[r.Group], ", ")))
	case strings.Contains(r.Group, ".") && !strings.HasSuffix(r.Group, ".k8s.io"):
		warnings = append(warnings, fmt.Sprintf("%s: fenced if a CustomResourceDefinition defines %s; where an extension API server serves them, policies are that server's to apply", r, name))
	}
	return warnings
}

// lists reports whether a resource of the core group is among those that are guarded.
func (f Fence) lists(name string) bool {
	return slices.ContainsFunc(f.Resources, func(r Resource) bool { return r.Group == "" && r.Name == name })
}

// account returns the ServiceAccount with its namespace.
func (f Fence) account() types.NamespacedName {
	account := f.ServiceAccount
	if account.Namespace == "" {
		account.Namespace = f.Lease.Namespace
	}
	return account
}

// user returns the name under which the API server knows the ServiceAccount.
func (f Fence) user() string {
	return "system:serviceaccount:" + f.account().Namespace + ":" + f.account().Name
}

// stamped reports whether there is a resource on which the API server stamps a
// time and the term.
func (f Fence) stamped() bool {
	for _, resource := range f.Resources {
		if resource.stamped() {
			return true
		}
	}
	return false
}

func join(resources []Resource) string {
	var all []string
	for _, resource := range resources {
		all = append(all, resource.String())
	}
	return strings.Join(all, ", ")
}
