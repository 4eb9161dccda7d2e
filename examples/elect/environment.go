package main

import (
	"slices"
	"strings"
	"time"
)

// What the command finds in its environment about the term that it runs in.
const (
	variableLease  = "HOLDFAST_LEASE"         // namespace/name
	variableHolder = "HOLDFAST_HOLDER"        // the identity that leads
	variableTerm   = "HOLDFAST_TERM"          // when the term began, by the leader's clock (RFC 3339)
	variableToken  = "HOLDFAST_FENCING_TOKEN" // a later term has a greater one
)

// environment returns inherited with what is to be known of a term.
func environment(inherited []string, lease, holder string, began time.Time, token string) []string {
	own := []string{
		variableLease + "=" + lease,
		variableHolder + "=" + holder,
		variableTerm + "=" + began.UTC().Format(time.RFC3339Nano),
		variableToken + "=" + token,
	}
	rest := slices.DeleteFunc(slices.Clone(inherited), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(own, func(set string) bool { return strings.HasPrefix(set, name+"=") })
	})
	return append(rest, own...)
}
