package hosts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// NamesAnnotation asks for names beyond <service>.<namespace>.<domain>: a list
// separated by commas or spaces.
const NamesAnnotation = "hosts.holdfast-go.github.io/names"

// CheckName returns an error that says why name is no DNS name, or nil. On top
// of what Kubernetes asks of a subdomain, each label must fit into the 63 bytes
// that DNS has for it (RFC 1035, 2.3.4).
func CheckName(name string) error {
	if faults := validation.IsDNS1123Subdomain(name); len(faults) > 0 {
		return fmt.Errorf("%q is no DNS name: %s", name, strings.Join(faults, "; "))
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) > validation.DNS1123LabelMaxLength {
			return fmt.Errorf("%q is no DNS name: the label %q has %d bytes, at most %d are allowed",
				name, label, len(label), validation.DNS1123LabelMaxLength)
		}
	}
	return nil
}

// canonical is the name that belongs to service and no other.
func canonical(service *corev1.Service, domain string) string {
	return service.Name + "." + service.Namespace + "." + domain
}

// asked returns the extra names that service asks for, each once, sorted.
func asked(service *corev1.Service) []string {
	names := strings.FieldsFunc(service.Annotations[NamesAnnotation], func(r rune) bool {
		return r == ',' || unicode.IsSpace(r)
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// registry knows which Service each name belongs to.
type registry map[string]*corev1.Service

// claim gives name to service unless another has it, and returns the one that
// has it then.
func (r registry) claim(name string, service *corev1.Service) *corev1.Service {
	if holder, taken := r[name]; taken {
		return holder
	}
	r[name] = service
	return service
}

// byAge is the order in which extra names are given out: oldest Service first,
// so that a new one cannot take a name away; namespace and name decide between
// Services of the same second.
func byAge(a, b *corev1.Service) int {
	return cmp.Or(
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Name, b.Name),
	)
}
