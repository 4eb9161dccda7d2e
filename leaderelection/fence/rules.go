package fence

import (
	"fmt"
	"math"
	"strconv"
	"time"

	admission "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// The rules are CEL expressions over request, object, oldObject and params, the
// Lease (https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy).
// An API server gives times as text to some of them and as timestamps to its type
// checker, and timestamp() takes both.

// variables are what the rules are made of: the name and the UID of the caller's
// Pod, which a token that is bound to it carries, and the holder of the lease.
func variables() []admission.Variable {
	extra := func(key string) string {
		key = strconv.Quote("authentication.kubernetes.io/" + key)
		return fmt.Sprintf(`has(request.userInfo.extra) && %s in request.userInfo.extra ? request.userInfo.extra[%s][0] : ""`, key, key)
	}
	return []admission.Variable{
		{Name: "pod", Expression: extra("pod-name")},
		{Name: "uid", Expression: extra("pod-uid")},
		{Name: "holder", Expression: `has(params.spec.holderIdentity) ? params.spec.holderIdentity : ""`},
	}
}

// callerIs matches the requests of one user.
func callerIs(user string) admission.MatchCondition {
	return admission.MatchCondition{Name: "serviceaccount", Expression: "request.userInfo.username == " + strconv.Quote(user)}
}

// rule is a validation, and what it says of a request that it refuses.
type rule struct{ allowed, message string }

// boundRule: the token says of which Pod it is.
func boundRule() rule {
	return rule{`variables.pod != "" && variables.uid != ""`,
		`"the token is not bound to a Pod, so nobody knows whether it is the leader's"`}
}

// holderRule: the caller's Pod holds the lease. A Pod's name has no underscore, so
// no name is the beginning of another's identity.
func holderRule(byName bool) rule {
	prefix := `variables.pod + "_" + variables.uid + "_"`
	if byName {
		prefix = `variables.pod + "_"`
	}
	return rule{fmt.Sprintf(`(variables.holder + "_").startsWith(%s)`, prefix),
		`"the lease is held by \"" + variables.holder + "\", not by Pod " + variables.pod + " with UID " + variables.uid`}
}

// expiryRule: what is written is stamped with a time before the end of the lease:
// what is created with that of its creation, what is changed with that of the last
// change of the fields that someone manages.
func expiryRule(skew time.Duration) rule {
	seconds := int64(math.Ceil(skew.Seconds()))
	until := fmt.Sprintf(`timestamp(params.spec.renewTime) + duration(string(int(params.spec.leaseDurationSeconds) + %d) + "s")`, seconds)
	return rule{
		`object == null || !has(object.metadata)` +
			` || (has(params.spec.renewTime) && has(params.spec.leaseDurationSeconds)` +
			` && (!has(object.metadata.managedFields) || object.metadata.managedFields.all(f, !has(f.time) || timestamp(f.time) < ` + until + `))` +
			` && (request.operation != "CREATE" || !has(object.metadata.creationTimestamp) || dyn(object.metadata.creationTimestamp) == null` +
			` || timestamp(object.metadata.creationTimestamp) < ` + until + `))`,
		`"the lease of \"" + variables.holder + "\" has expired"`,
	}
}

// termRule: an object's term never falls.
func termRule() rule {
	term := func(object string) string {
		return fmt.Sprintf(`int(%s.metadata.annotations[%q])`, object, TermAnnotation)
	}
	known := func(object string) string {
		return fmt.Sprintf(`has(%[1]s.metadata.annotations) && %[2]q in %[1]s.metadata.annotations && %[1]s.metadata.annotations[%[2]q].matches("^[0-9]{1,18}$")`, object, TermAnnotation)
	}
	return rule{
		`request.operation != "UPDATE" || (has(request.subResource) && request.subResource != "") || object == null || oldObject == null || !(` + known("oldObject") + `) || (` + known("object") + ` && ` + term("object") + ` >= ` + term("oldObject") + `)`,
		`"the object was written in a later term of the election"`,
	}
}

// validation returns a rule as the API has it. Its message names the lease.
func (r rule) validation(lease string) admission.Validation {
	prefix := "fence of the lease " + lease + ": "
	return admission.Validation{
		Expression:        r.allowed,
		MessageExpression: strconv.Quote(prefix) + " + " + r.message,
		Message:           prefix + "the caller is not its holder",
		Reason:            ptr.To(metav1.StatusReasonForbidden),
	}
}
