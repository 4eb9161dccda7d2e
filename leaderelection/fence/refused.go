package fence

import (
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Refused reports whether err is the refusal of a write by the fence of a lease:
// to the API server the caller is not the holder. The write was not executed.
//
// A new leader may be refused too for a moment (51 ms at most in 720 tries on idle API
// servers, 167 ms on saturated ones), because a server learns of a takeover by a watch.
// Read the Lease, and write again while it still names you.
func Refused(err error, lease types.NamespacedName) bool {
	return refusal(err, lease) != nil
}

// refusal returns the error in the tree of err that is a refusal by the fence of the
// lease, nil where none is. It looks into the lists of package k8s.io/apimachinery/pkg/util/errors
// too, which errors.As does not.
func refusal(err error, lease types.NamespacedName) error {
	var parts []error
	switch err := err.(type) {
	case nil:
		return nil
	case interface{ Unwrap() error }:
		parts = []error{err.Unwrap()}
	case interface{ Unwrap() []error }:
		parts = err.Unwrap()
	case interface{ Errors() []error }:
		parts = err.Errors()
	}
	if status, ok := err.(apierrors.APIStatus); ok && RefusedStatus(status.Status(), lease) {
		return err
	}
	for _, part := range parts {
		if found := refusal(part, lease); found != nil {
			return found
		}
	}
	return nil
}

// RefusedStatus is Refused for an answer that is not an error yet.
func RefusedStatus(status metav1.Status, lease types.NamespacedName) bool {
	if status.Code != http.StatusForbidden {
		return false
	}
	// What the API server says begins with the name of the policy. Behind that stands
	// what the policy says, and another's may quote anything.
	begin := "ValidatingAdmissionPolicy '" + Policy(lease) + "' "
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			if strings.HasPrefix(cause.Message, begin) {
				return true
			}
		}
	}
	_, said, _ := strings.Cut(status.Message, " is forbidden: ")
	return strings.HasPrefix(said, begin)
}
