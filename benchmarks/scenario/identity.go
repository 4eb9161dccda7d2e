package scenario

import (
	"slices"
	"strings"
)

// identities tell which copy of a program a holder of its Lease is. The names are
// those of the copies, in the order in which they are started.
type identities struct {
	names []string
	known map[string]string // copy by identity
}

// of returns whose identity it is. Most programs are called by their host's name, by
// itself or before an underscore, as with a manager of controller-runtime and the
// components of Kubernetes. Of any other, the first to hold the Lease is the first
// copy's, which runs alone then; whatever is new after that is the second's.
func (i *identities) of(identity string) string {
	if name := contenderOf(identity); len(i.names) == 0 || slices.Contains(i.names, name) {
		return name
	}
	if name, ok := i.known[identity]; ok {
		return name
	}
	if i.known == nil {
		i.known = map[string]string{}
	}
	i.known[identity] = i.names[min(len(i.known), len(i.names)-1)]
	return i.known[identity]
}

// contenderOf returns which contender an identity is of. It is the identity
// itself, except that a manager of controller-runtime chooses its own: the name
// of its host, which is the contender's, an underscore, and a UUID. No contender's
// name has an underscore.
func contenderOf(identity string) string {
	name, _, _ := strings.Cut(identity, "_")
	return name
}
